"""A world a month ago: some days of trade in every channel that pays out, all of one merchant, and its bank."""

import csv
import io
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from typing import Any
from zipfile import ZipFile

from ledger.money import Money
from payments.channels.contract import Outcome
from payments.channels.unionpay import statement
from tests.channels.drivers import Driver
from tests.channels.drivers.alipay import AlipayDriver
from tests.channels.drivers.bank import BankDriver
from tests.channels.drivers.ecny import EcnyDriver
from tests.channels.drivers.stripe import StripeDriver
from tests.channels.drivers.unionpay import UnionPayDriver
from tests.channels.drivers.wechat import WechatDriver
from tests.channels.world import HTTP, Receiver, Sandbox

BEIJING = timezone(timedelta(hours=8))
DAY = 86_400
DAYS_AGO = 30
# sum paid, part refunded: on the first day and on the second
TRADES = ([(10_000, 2_500), (12_300, 0), (8_800, 0)], [(10_000, 2_500)])
# the statement that is read here, by channel
FILES = {
    "alipay": "trade",
    "ecny": "trade",
    "stripe": "balance_change",
    "unionpay": "ACOMN",
    "wechat": "trade",
    "bank": "camt.053",
}


def noon() -> datetime:
    """Noon in Beijing, a month ago: the same day everywhere."""
    now = datetime.now(BEIJING) - timedelta(days=DAYS_AGO)
    return now.replace(hour=12, minute=0, second=0, microsecond=0)


@dataclass(frozen=True, slots=True)
class Settled:
    world: Sandbox
    drivers: dict[str, Driver]
    merchants: dict[str, dict[str, Any]]
    begin: datetime

    def merchant(self, code: str) -> str:
        return str(self.merchants[code]["merchant"])

    def day(self, number: int) -> date:
        return (self.begin + timedelta(days=number)).date()

    def bank(self, code: str, number: int, written: str = "csv") -> str:
        """The bank's file of this day for the channel's merchant; "" when there is none."""
        account = self.merchants[code]["bank"]["account"]
        where = f"{self.world.url}/control/bank/{account}/statements/{self.day(number)}"
        answer = HTTP.get(where, params={"format": written})
        return answer.text if answer.status_code == 200 else ""

    def lines(self, code: str, days: range = range(7)) -> list[dict[str, str]]:
        return [row for number in days for row in csv.DictReader(io.StringIO(self.bank(code, number)))]

    def plant(self, code: str, kind: str, number: int = 0, **more: Any) -> dict[str, Any]:
        asked = {"channel": code, "merchant": self.merchant(code), "day": str(self.day(number)), "kind": kind}
        planted: dict[str, Any] = self.world.ask("POST", "/control/statements/faults", {**asked, **more})
        return planted

    def forget(self, planted: dict[str, Any]) -> None:
        self.world.ask("DELETE", f"/control/statements/faults/{planted['id']}")

    def fetch(self, code: str, number: int = 0, file: str = "") -> bytes:
        return self.drivers[code].statements.fetch_statement(file or FILES[code], self.day(number)).content

    def sums(self, code: str, number: int = 0) -> list[int]:
        """The amounts of the day's file in order, after its own totals have been compared with them."""
        return READERS[code](self.fetch(code, number))


def trade(world: Sandbox, receiver: Receiver) -> Settled:
    """Set the clock back, trade on two days and let a few more pass."""
    kinds = (AlipayDriver, EcnyDriver, StripeDriver, UnionPayDriver, WechatDriver, BankDriver)
    drivers: dict[str, Driver] = {kind.code: kind(world, receiver) for kind in kinds}
    merchants = {code: world.onboard(name=_name(driver)) for code, driver in drivers.items()}
    done = Settled(world, drivers, merchants, noon())
    world.ask("POST", "/control/clock", {"set": done.begin.isoformat()})
    for trades in TRADES:
        for code, driver in done.drivers.items():
            for paid, back in trades if code != "bank" else ():
                _trade(driver, paid, back)
        world.advance(DAY)
    for _ in range(5):
        world.advance(DAY)
    return done


def _trade(driver: Driver, paid: int, back: int) -> None:
    start = driver.start_request(paid)
    answer = driver.channel.start(start)
    if not driver.paid_at_start:
        driver.customer_pays(start)
        answer = driver.channel.query(driver.movement(start, answer))
    if back:
        refund = replace(
            driver.movement(start, answer),
            amount=Money(back, "CNY"),
            movement_reference=start.reference.replace("att_", "ref_"),
        )
        assert driver.channel.refund(refund).outcome in (Outcome.SUCCEEDED, Outcome.PENDING)


def _name(driver: Driver) -> str:
    return str(getattr(driver, "merchant", "") or f"{driver.code} contract")


def _fen(yuan: str) -> int:
    return Money.from_major(yuan.strip("`\t"), "CNY").minor


def _alipay(content: bytes) -> list[int]:
    texts = {}
    with ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            texts[member.filename.encode("cp437").decode("gbk")] = archive.read(member).decode("gb18030")
    detail = next(text for name, text in texts.items() if "汇总" not in name)
    rows = list(csv.DictReader(line for line in detail.splitlines() if not line.startswith("#")))
    sums = [_fen(row["商家实收（元）"]) for row in rows]
    paid = [one for one in sums if one > 0]
    assert f"#交易合计：{len(paid)}笔，商家实收共{sum(paid) / 100:.2f}元" in detail
    total = next(text for name, text in texts.items() if "汇总" in name).splitlines()[-3].split(",")
    assert _fen(total[-1]) == sum(sums) + sum(_fen(row["服务费（元）"]) for row in rows)
    return sums


def _wechat(content: bytes) -> list[int]:
    header, *cells, total_header, total = content.decode("utf-8-sig").removesuffix("\r\n").split("\r\n")
    rows = [dict(zip(header.split(","), row.split(","), strict=True)) for row in cells]
    sums = [_fen(row["应结订单金额"]) - _fen(row["退款金额"]) for row in rows]
    told = dict(zip(total_header.split(","), total.split(","), strict=True))
    assert _fen(told["应结订单总金额"]) - _fen(told["退款总金额"]) == sum(sums)
    assert told["总交易单数"] == f"`{len(rows)}"
    return sums


def _stripe(content: bytes) -> list[int]:
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert all(_fen(row["gross"]) - _fen(row["fee"]) == _fen(row["net"]) for row in rows)
    return [_fen(row["gross"]) for row in rows]


def _unionpay(content: bytes) -> list[int]:
    rows = list(statement.rows(content))
    return [int(row["amount"]) * (1 if row["processing_code"] == "000000" else -1) for row in rows]


def _ecny(content: bytes) -> list[int]:
    return [int(row["amount"]) for row in csv.DictReader(io.StringIO(content.decode()))]


READERS = {"alipay": _alipay, "wechat": _wechat, "stripe": _stripe, "unionpay": _unionpay, "ecny": _ecny}
