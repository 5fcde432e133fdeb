"""A world that begins a month ago: every provider's money moves with old dates, signed today."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
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
from tests.channels.drivers.wallet import WalletDriver
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


PAYING_OUT = ("alipay", "ecny", "stripe", "unionpay", "wechat")
DAY = 86_400


def _noon() -> datetime:
    """Noon in Beijing, a month ago."""
    return datetime.now(BEIJING).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)


@dataclass(frozen=True, slots=True)
class Settled:
    world: Sandbox
    drivers: dict[str, Driver]
    begin: datetime

    @property
    def bank(self) -> dict[str, str]:
        """The accounts of the merchant `name` at the bank."""
        return {code: self.account(driver) for code, driver in self.drivers.items()}

    def account(self, driver: Driver) -> str:
        name = driver.merchant if isinstance(driver, WalletDriver) else "stripe contract"
        return str(self.world.onboard(name=name)["bank"]["account"])

    def day(self, number: int) -> date:
        return (self.begin + timedelta(days=number)).date()

    def lines(self, code: str, number: int, written: str = "csv") -> str:
        """The bank's file of this day for the channel's merchant; "" when there is none."""
        where = f"{self.world.url}/control/bank/{self.bank[code]}/statements/{self.day(number)}"
        answer = HTTP.get(where, params={"format": written})
        return answer.text if answer.status_code == 200 else ""


def _trade(driver: Driver) -> None:
    start = driver.start_request(10_000)
    answer = driver.channel.start(start)
    if not driver.paid_at_start:
        driver.customer_pays(start)
        answer = driver.channel.query(driver.movement(start, answer))
    refund = replace(
        driver.movement(start, answer),
        amount=Money(2_500, "CNY"),
        movement_reference=start.reference.replace("att_", "ref_"),
    )
    assert driver.channel.refund(refund).outcome in (Outcome.SUCCEEDED, Outcome.PENDING)


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


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Settled]:
    """Two days of payments and a refund in every channel that pays out, a month ago, and some days behind them."""
    with running_sandbox(tmp_path_factory.mktemp("settled")) as world:
        done = Settled(world, {code: DRIVERS[code](world, receiver) for code in PAYING_OUT}, _noon())
        world.ask("POST", "/control/clock", {"set": done.begin.isoformat()})
        for _ in range(2):
            for driver in done.drivers.values():
                _trade(driver)
            world.advance(DAY)
        for _ in range(4):
            world.advance(DAY)
        yield done


# 100.00 paid and 25.00 given back, after the channel's fee
NETS = {"alipay": 74_40 + 0, "ecny": 75_00, "stripe": 71_80, "unionpay": 74_40, "wechat": 74_59 + 1}


@pytest.mark.parametrize("code", [code for code in PAYING_OUT if code != "stripe"])
def test_each_day_is_one_deposit_on_the_next(settled: Settled, code: str) -> None:
    rows = [row for number in range(6) for row in csv.DictReader(io.StringIO(settled.lines(code, number)))]
    assert [(row["amount"], row["booking_date"]) for row in rows] == [
        (f"{NETS[code] / 100:.2f}", settled.day(number).isoformat()) for number in (1, 2)
    ]


def test_stripes_payout_is_a_deposit_with_its_name(settled: Settled) -> None:
    merchant = settled.world.onboard(name="stripe contract")["merchant"]
    told = settled.world.ask("GET", f"/control/ground-truth/payouts?merchant={merchant}")["payouts"]
    rows = [
        row for number in range(6) for row in csv.DictReader(io.StringIO(settled.lines("stripe", number)))
    ]
    assert [row["end_to_end_id"] for row in rows] == [payout["id"] for payout in told]
    assert sum(payout["amount"] for payout in told) == 2 * NETS["stripe"]
    assert all(row["text"] == f"STRIPE PAYOUT {row['end_to_end_id']}" for row in rows)
