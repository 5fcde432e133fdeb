"""A breaker opens on real faults, lets one payment at a time try again, and never stands before anything else."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from payments import breakers, routes, selectors
from payments.breakers import Breaker, close_breaker, open_breaker, take_probe
from payments.channels.alipay.channel import AlipayChannel
from payments.channels.contract import Answer, Outcome
from payments.errors import InvalidChannelSwitch
from payments.measures import BreakerState, Result
from payments.models import Attempt
from payments.services.cancel_payment import cancel_payment
from payments.services.move_breaker import move_breaker
from payments.services.request_refund import request_refund
from payments.services.watch_channel import watch_channel
from tests.payments.conftest import Till
from tests.payments.desk import opened

ALIPAY = ("alipay", "alipay")
SHUT = BreakerState.OPEN
Say = Callable[..., None]


@pytest.fixture
def say(till: Till, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Let Alipay answer every new payment so; nothing to let it speak for itself again."""
    real = AlipayChannel.start

    def say(outcome: Outcome | None = None, code: str = "") -> None:
        told = (lambda *_: Answer(outcome, code=code)) if outcome else real
        monkeypatch.setattr(AlipayChannel, "start", told)

    return say


@pytest.fixture(autouse=True)
def quick(till: Till, settings: Any) -> None:
    settings.BREAKER = {"window_seconds": 60, "least": 3, "fault_share": 500, "open_seconds": 30}


def state() -> BreakerState:
    return breakers.breakers([ALIPAY])[ALIPAY].state


def made_due() -> None:
    """The breaker's rest is over."""
    known = breakers.breakers([ALIPAY])[ALIPAY]
    breakers._write(ALIPAY, Breaker(SHUT, known.since, timezone.now() - timedelta(seconds=1)))


def seen(result: Result, ago: int = 0, *, channel: str = "alipay") -> None:
    """A new payment's first answer, in the tables."""
    attempt = opened("alipay")
    at = timezone.now() - timedelta(seconds=ago)
    Attempt.objects.filter(pk=attempt.pk).update(first_result=result, sent_at=at, channel=channel)


class TestOpening:
    @pytest.mark.parametrize(
        ("outcome", "code"),
        [
            (Outcome.UNKNOWN, "no_answer"),
            (Outcome.UNKNOWN, "not_reached"),
            (Outcome.ERRORED, "ACQ.ACCESS_FORBIDDEN"),
            (Outcome.ERRORED, "a_code_that_nobody_listed"),
        ],
    )
    def test_faults_open_it(self, till: Till, say: Say, outcome: Outcome, code: str) -> None:
        say(outcome, code)
        for expected in (BreakerState.CLOSED, BreakerState.CLOSED, SHUT):
            till.pay("alipay")
            assert state() == expected

    def test_declines_do_not(self, till: Till, say: Say) -> None:
        say(Outcome.DECLINED, "ACQ.BUYER_BALANCE_NOT_ENOUGH")
        for _ in range(4):
            till.pay("alipay")
        assert state() == BreakerState.CLOSED

    def test_only_what_is_recent_and_this_channel_s_counts(self) -> None:
        for result, ago, channel in (
            (Result.UNKNOWN, 61, "alipay"),
            (Result.UNKNOWN, 5, "stripe"),
            (Result.OK, 5, "alipay"),
            (Result.OK, 5, "alipay"),
            (Result.UNKNOWN, 1, "alipay"),
        ):
            seen(result, ago, channel=channel)
        watch_channel(channel="alipay", method="alipay", result=Result.UNKNOWN)
        assert state() == BreakerState.CLOSED
        seen(Result.ERRORED)
        watch_channel(channel="alipay", method="alipay", result=Result.ERRORED)
        assert state() == SHUT


class TestProbing:
    def test_one_payment_at_a_time_tries_again(self, till: Till, say: Say) -> None:
        open_breaker(ALIPAY)
        assert till.pay("alipay").channel == "stripe"
        made_due()
        assert state() == BreakerState.HALF_OPEN
        assert take_probe(ALIPAY)
        assert till.pay("alipay").channel == "stripe"

    def test_a_success_closes_it(self, till: Till) -> None:
        open_breaker(ALIPAY)
        made_due()
        assert till.pay("alipay").channel == "alipay"
        assert state() == BreakerState.CLOSED

    def test_a_fault_opens_it_again_and_it_has_been_broken_since_then(self, till: Till, say: Say) -> None:
        open_breaker(ALIPAY)
        since = breakers.breakers([ALIPAY])[ALIPAY].since
        made_due()
        say(Outcome.UNKNOWN, "not_reached")
        assert till.pay("alipay").channel == "stripe"
        assert breakers.breakers([ALIPAY])[ALIPAY].since == since
        assert state() == SHUT

    def test_what_went_wrong_before_it_was_closed_no_longer_counts(self) -> None:
        for _ in range(3):
            seen(Result.UNKNOWN, 5)
        close_breaker(ALIPAY)
        seen(Result.UNKNOWN)
        watch_channel(channel="alipay", method="alipay", result=Result.UNKNOWN)
        assert state() == BreakerState.CLOSED


class TestByHand:
    def test_a_person_closes_probes_and_opens_it(self, till: Till) -> None:
        said = {"channel": "alipay", "method": "alipay", "actor": "user:1", "reason": "they are back"}
        move_breaker(**said, do="open")
        assert state() == SHUT
        move_breaker(**said, do="probe")
        assert state() == BreakerState.HALF_OPEN
        move_breaker(**said, do="close")
        assert state() == BreakerState.CLOSED
        with pytest.raises(InvalidChannelSwitch):
            move_breaker(**{**said, "channel": "paypal"}, do="close")


def test_captures_refunds_and_closes_go_on(till: Till) -> None:
    paid, waiting = till.pay("card"), till.pay("alipay")
    open_breaker(("stripe", "card"))
    open_breaker(ALIPAY)
    refund = request_refund(payment=paid.id, amount=None, reason="Broken", actor="user:1", key="r")
    assert refund.state in ("SUCCEEDED", "PROCESSING")
    assert cancel_payment(payment=waiting.id, actor="user:1", reason="customer").state == "CANCELLED"


class TestWithoutRedis:
    @pytest.fixture(autouse=True)
    def redis_is_gone(self, till: Till, settings: Any) -> Iterator[None]:
        there, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:9/0"
        breakers._redis.cache_clear()
        yield
        settings.REDIS_URL = there
        breakers._redis.cache_clear()

    def test_payments_go_on_with_every_breaker_closed(self, till: Till, say: Say) -> None:
        say(Outcome.UNKNOWN, "no_answer")
        for _ in range(3):
            till.pay("alipay")
        say()
        assert till.pay("alipay").channel == "alipay"


def test_a_breaker_that_redis_forgot_opens_at_the_next_fault(till: Till, say: Say) -> None:
    for _ in range(3):
        seen(Result.UNREACHABLE, 5)
    say(Outcome.UNKNOWN, "no_answer")
    till.pay("alipay")
    assert state() == SHUT


def test_health_says_how_each_channel_does(till: Till) -> None:
    till.pay("card")
    seen(Result.UNKNOWN)
    row = Attempt.objects.get(first_result=Result.UNKNOWN)
    Attempt.objects.filter(pk=row.pk).update(state="UNKNOWN", latency_ms=900)
    open_breaker(ALIPAY)

    health = {(one.channel, one.method): one for one in routes.channel_health()}
    card, alipay = health["stripe", "card"], health["alipay", "alipay"]
    assert (card.settled, card.success, card.faults, card.breaker.state) == (1, 1000, 0, "closed")
    assert card.p95_ms is not None
    assert (alipay.success, alipay.faults, alipay.p95_ms, alipay.breaker.state) == (0, 1000, 900, "open")
    assert alipay.breaker.since is not None
    assert health["stripe", "alipay"].success is None
    assert selectors.offered_methods() >= {"card", "alipay"}
