"""A world that begins a month ago: every provider's money moves with old dates, signed today."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pytest

from ledger.money import Money
from payments.channels.contract import Outcome
from tests.channels.drivers import Driver
from tests.channels.drivers.alipay import AlipayDriver
from tests.channels.drivers.bank import BankDriver
from tests.channels.drivers.crypto import CryptoDriver
from tests.channels.drivers.ecny import EcnyDriver
from tests.channels.drivers.stripe import StripeDriver
from tests.channels.drivers.unionpay import UnionPayDriver
from tests.channels.drivers.wechat import WechatDriver
from tests.channels.world import HTTP, Receiver, Sandbox, eventually, running_receiver, running_sandbox

BEIJING = timezone(timedelta(hours=8))
DAYS = 30
DRIVERS: dict[str, type[Driver]] = {
    "stripe": StripeDriver,
    "alipay": AlipayDriver,
    "wechat": WechatDriver,
    "unionpay": UnionPayDriver,
    "ecny": EcnyDriver,
    "bank": BankDriver,
    "crypto": CryptoDriver,
}


def _noon() -> datetime:
    """Noon in Beijing, a month ago."""
    return datetime.now(BEIJING).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("past")) as world:
        world.ask("POST", "/control/clock", {"set": _noon().isoformat()})
        yield world


def today(world: Sandbox) -> date:
    return datetime.fromisoformat(world.ask("GET", "/control/clock")["now"]).astimezone(BEIJING).date()


@pytest.mark.parametrize("code", sorted(DRIVERS))
def test_money_moves_with_old_dates(past: Sandbox, receiver: Receiver, code: str) -> None:
    driver = DRIVERS[code](past, receiver)
    start = driver.start_request()
    answer = driver.channel.start(start)
    if not driver.paid_at_start:
        driver.customer_pays(start)
        answer = driver.channel.query(driver.movement(start, answer))
    assert answer.outcome is Outcome.SUCCEEDED
    refund = replace(
        driver.movement(start, answer),
        amount=Money(2_500, "CNY"),
        movement_reference=start.reference.replace("att_", "ref_"),
    )
    assert driver.channel.refund(refund).outcome in (Outcome.SUCCEEDED, Outcome.PENDING)
    (payment,) = driver.sandbox.payments(start.reference)
    assert payment["refunded"] == 2_500
    assert datetime.fromtimestamp(payment["created_at"], BEIJING).date() == today(past)
    eventually(
        lambda: [one for one in driver.sandbox.deliveries(payment["id"]) if one["state"] == "delivered"]
    )


def test_it_goes_back_only_before_anybody_paid(past: Sandbox) -> None:
    for asked in ({"advance": -1}, {"set": "2001-01-01T00:00:00Z"}):
        assert HTTP.post(f"{past.url}/control/clock", json=asked).status_code == 400
