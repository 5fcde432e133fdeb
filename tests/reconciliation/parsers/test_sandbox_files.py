"""The files that the sandbox's providers give for a day on which each took one payment and gave a part of it back."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone

import pytest

from ledger.money import Money
from payments.channels.contract import Outcome
from reconciliation.parsers import HEAD, Told, format_of, sniff
from reconciliation.rows import Line
from tests.channels.drivers import Driver
from tests.channels.drivers.alipay import AlipayDriver
from tests.channels.drivers.bank import BankDriver
from tests.channels.drivers.ecny import EcnyDriver
from tests.channels.drivers.stripe import StripeDriver
from tests.channels.drivers.unionpay import UnionPayDriver
from tests.channels.drivers.wechat import WechatDriver
from tests.channels.world import Receiver, eventually, running_receiver, running_sandbox

BEIJING = timezone(timedelta(hours=8))
DRIVERS: tuple[type[Driver], ...] = (
    *(AlipayDriver, WechatDriver, StripeDriver, UnionPayDriver, EcnyDriver, BankDriver),
)
KINDS = [
    *(("alipay", "trade"), ("alipay", "signcustomer"), ("wechat", "trade"), ("wechat", "trade_success")),
    *(
        ("wechat", "trade_refund"),
        ("wechat", "fundflow"),
        ("stripe", "balance_change"),
        ("unionpay", "ACOMN"),
    ),
    *(("ecny", "trade"), ("bank", "camt.053")),
]
WHO = {"alipay": "seller_id", "wechat": "mchid", "unionpay": "mer_id", "bank": "account"}


@dataclass(frozen=True, slots=True)
class Traded:
    driver: Driver
    payment: str
    refund: str


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture(scope="module")
def traded(
    tmp_path_factory: pytest.TempPathFactory, receiver: Receiver
) -> Iterator[tuple[date, dict[str, Traded]]]:
    noon = datetime.now(BEIJING).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=9)
    with running_sandbox(tmp_path_factory.mktemp("statements")) as world:
        world.ask("POST", "/control/clock", {"set": noon.isoformat()})
        done = {kind.code: _trade(kind(world, receiver)) for kind in DRIVERS}
        world.ask("POST", "/control/clock", {"advance": 4 * 86_400})
        yield noon.date(), done


def _trade(driver: Driver) -> Traded:
    start = driver.start_request()
    answer = driver.channel.start(start)
    if not driver.paid_at_start:
        driver.customer_pays(start)
        answer = driver.channel.query(driver.movement(start, answer))
    refund = start.reference.replace("att_", "ref_")
    asked = replace(driver.movement(start, answer), amount=Money(2_500, "CNY"), movement_reference=refund)
    assert driver.channel.refund(asked).outcome in (Outcome.SUCCEEDED, Outcome.PENDING)
    eventually(lambda: driver.channel.query_refund(asked).outcome is Outcome.SUCCEEDED)
    return Traded(driver, start.reference, refund)


@pytest.mark.parametrize(("channel", "kind"), KINDS)
def test_what_really_moved_is_what_is_read(
    traded: tuple[date, dict[str, Traded]], channel: str, kind: str
) -> None:
    day, done = traded
    one = done[channel]
    file = one.driver.statements.fetch_statement(kind, day)
    merchant = getattr(one.driver, "account", {}).get(WHO.get(channel, ""), "")
    told = Told(day=day, merchant=merchant, currency="CNY")
    lines = list(format_of(channel, kind).read(io.BytesIO(file.content), told))
    assert sniff(file.name, file.content[:HEAD]) == (channel, kind)
    moved = {_sort(line): (line.amount, line.reference) for line in lines if _sort(line)}
    expected = {"in": (10_000, one.payment), "out": (-2_500, one.refund)}
    if channel in ("unionpay", "bank"):  # they do not name what they do not know
        expected["in"] = (10_000, "")
    if channel == "unionpay":
        expected["out"] = (-2_500, "")
    assert moved == {side: said for side, said in expected.items() if side in moved}
    assert len(moved) == (1 if kind in ("trade_success", "trade_refund") else 2)


def _sort(line: Line) -> str:
    return {"payment": "in", "credit": "in", "refund": "out", "debit": "out"}.get(line.kind, "")
