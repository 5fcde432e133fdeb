"""Forged notifications, thousands for each channel: none is believed, and none is answered with anything but a refusal.

A spoilt copy may still say what the genuine one said (a form's fields in another order, a header that nobody signs):
then it must be read as exactly that. A new channel takes part as soon as it has a driver.
"""

from collections import Counter
from functools import partial
from random import Random
from typing import Any

import httpx
import pytest

from payments.channels import registry
from payments.channels.contract import NoticeRefused, StartRequest
from payments.models import InboxEvent, OutboxEvent, Payment
from tests.channels.drivers import Driver
from tests.channels.drivers.alipay import AlipayDriver
from tests.channels.drivers.wallet import WalletDriver
from tests.channels.drivers.wechat import WechatDriver
from tests.channels.mutations import MUTATIONS, mutants
from tests.channels.scenes import payment_notices
from tests.channels.world import Arrived, Receiver, Sandbox, eventually

EACH = 2_500
OVER_HTTP = 110
# The others are harmless: where nothing is signed in the headers, spoiling them spoils nothing.
AT_LEAST = 1_700

Genuine = tuple[Arrived, Arrived]


def told(driver: Driver, start: StartRequest) -> Arrived:
    return eventually(lambda: payment_notices(driver, start))[0]


@pytest.fixture(scope="module")
def genuine(driver: Driver) -> Genuine:
    """The notifications of two payments."""
    starts = [driver.paid()[0], driver.paid(4_321)[0]]
    arrived = [eventually(partial(payment_notices, driver, start))[0] for start in starts]
    return arrived[0], arrived[1]


def test_none_of_thousands_is_believed(driver: Driver, genuine: Genuine) -> None:
    original, other = genuine
    true = [driver.channel.read_notice(one.headers, one.body) for one in genuine]
    refused: Counter[str] = Counter()
    harmless = 0
    for name, spoilt in mutants(Random(driver.code), original, other, EACH):
        try:
            notice = driver.channel.read_notice(spoilt.headers, spoilt.body)
        except NoticeRefused:
            refused[name] += 1
        else:
            assert notice in true, (name, spoilt)
            harmless += 1
    assert refused.total() >= AT_LEAST
    assert refused.total() + harmless == EACH
    assert len(refused) >= len(set(MUTATIONS)) - 3, "mutations that never spoil anything prove nothing"


@pytest.mark.parametrize("kind", [AlipayDriver, WechatDriver])
def test_what_was_meant_for_another_merchant_is_refused(
    kind: type[WalletDriver], sandbox: Sandbox, receiver: Receiver
) -> None:
    """The provider signs for all its merchants with the same key."""
    ours, stranger = kind(sandbox, receiver, "ours"), kind(sandbox, receiver, "stranger")
    start, _ = stranger.paid()
    arrived = eventually(lambda: payment_notices(stranger, start))[0]
    with pytest.raises(NoticeRefused):
        ours.channel.read_notice(arrived.headers, arrived.body)


@pytest.mark.django_db(transaction=True)
def test_over_http_each_is_a_client_error_and_leaves_no_row(
    driver: Driver, genuine: Genuine, live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "channel", lambda code: driver.channel)
    original, other = genuine
    # A connection for each: on one that is kept, every answer would wait for its delayed acknowledgement.
    with httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)) as sender:
        for name, spoilt in mutants(Random(7), original, other, OVER_HTTP):
            try:
                notice = driver.channel.read_notice(spoilt.headers, spoilt.body)
            except NoticeRefused:
                notice = None
            if notice is not None:
                continue
            headers = [
                (header.encode(), value.encode("latin-1", "replace"))
                for header, value in spoilt.headers.items()
                if header not in ("host", "content-length", "connection")
            ]
            answer = sender.post(
                f"{live_server.url}/webhooks/{driver.code}", content=spoilt.body, headers=headers
            )
            assert 400 <= answer.status_code < 500, (name, spoilt, answer.text)
    assert not InboxEvent.objects.exists()
    assert not OutboxEvent.objects.exists()
    assert not Payment.objects.exists()
