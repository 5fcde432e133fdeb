"""The wallets' bills: derived from what the sandbox really moved, fetched through the channels, checked on arrival."""

import csv
import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from io import BytesIO
from struct import unpack_from
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
from alipay import AliPay
from wechatpayv3 import WeChatPay, WeChatPayType

from ledger.money import Money
from payments.channels.alipay.channel import AlipayChannel, from_settings
from payments.channels.contract import (
    Capability,
    ChannelUnavailable,
    Outcome,
    StatementNotReady,
    StatementUnavailable,
)
from payments.channels.transport import Transport
from tests.channels.drivers.alipay import AlipayDriver
from tests.channels.drivers.wallet import WalletDriver, private_pem
from tests.channels.drivers.wechat import WechatDriver
from tests.channels.world import STRANGER, Receiver, running_sandbox

BEIJING = timezone(timedelta(hours=8))
LATER = timedelta(days=3)
# sum paid, part refunded
PAYMENTS = [(10_000, 2_500), (12_345, 12_345), (1, 0), (88_880, 0)]


@dataclass(frozen=True, slots=True)
class Trading:
    """One day of both wallets in a sandbox of its own, whose clock is three days ahead of it."""

    alipay: AlipayDriver
    wechat: WechatDriver
    day: date

    def of(self, code: str) -> WalletDriver:
        return self.alipay if code == "alipay" else self.wechat


@pytest.fixture(scope="module")
def trading(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Trading]:
    with running_sandbox(tmp_path_factory.mktemp("bills")) as sandbox:
        today = datetime.now(BEIJING).date()
        done = Trading(
            AlipayDriver(sandbox, receiver, "bills"), WechatDriver(sandbox, receiver, "bills"), today
        )
        for driver in (done.alipay, done.wechat):
            for number, (paid, back) in enumerate(PAYMENTS):
                _trade(driver, number, paid, back)
        sandbox.ask("POST", "/control/clock", {"advance": LATER.total_seconds()})
        yield done


def _trade(driver: WalletDriver, number: int, paid: int, back: int) -> None:
    start = replace(driver.start_request(paid), description=f'Tea, "green" {number} 茶')
    started = driver.channel.start(start)
    assert started.outcome is Outcome.ACTION_REQUIRED
    driver.customer_pays(start)
    if back:
        refund = replace(
            driver.movement(start, started),
            amount=Money(back, "CNY"),
            movement_reference=start.reference.replace("att_", "ref_"),
        )
        assert driver.channel.refund(refund).outcome in {Outcome.SUCCEEDED, Outcome.PENDING}


def unzipped(content: bytes) -> dict[str, str]:
    with ZipFile(BytesIO(content)) as archive:
        return {
            member.filename.encode("cp437").decode("gbk"): archive.read(member).decode("gb18030")
            for member in archive.infolist()
        }


def rows(text: str) -> list[str]:
    """All but the line that tells when the file was written."""
    return [line for line in text.splitlines() if not line.startswith("#导出时间")]


def fen(yuan: str) -> int:
    return Money.from_major(yuan, "CNY").minor


class TestAlipay:
    def test_the_trade_bill_is_the_zip_as_it_came(self, trading: Trading) -> None:
        bill = trading.alipay.statements.fetch_statement("trade", trading.day)
        assert (bill.channel, bill.kind, bill.day) == ("alipay", "trade", trading.day)
        with ZipFile(BytesIO(bill.content)) as archive:
            assert not any(member.flag_bits & 0x800 for member in archive.infolist())
        files = unzipped(bill.content)
        detail, summary = sorted(files, key=lambda name: "汇总" in name)
        assert detail.endswith(f"0156_{trading.day:%Y%m%d}_业务明细.csv") and "(汇总)" in summary
        lines = [line for line in files[detail].splitlines() if not line.startswith("#")]
        rows = list(csv.DictReader(lines))
        assert len(rows[0]) == 25
        paid = [row for row in rows if row["业务类型"] == "交易"]
        back = [row for row in rows if row["业务类型"] == "退款"]
        assert [fen(row["商家实收（元）"]) for row in paid] == [sum_ for sum_, _ in PAYMENTS]
        assert [fen(row["商家实收（元）"]) for row in back] == [-2_500, -12_345]
        assert [fen(row["服务费（元）"]) for row in paid] == [-60, -74, 0, -533]
        assert all(row["支付宝交易号"].endswith("\t") for row in rows)
        assert back[0]["退款批次号/请求号"].startswith("ref_")
        assert paid[0]["商品名称"] == 'Tea, "green" 0 茶'
        assert f"#交易合计：4笔，商家实收共{sum(p for p, _ in PAYMENTS) / 100:.2f}元" in files[detail]
        total = next(line for line in files[summary].splitlines() if line.startswith("合计")).split(",")
        assert fen(total[-1]) == sum(p - b for p, b in PAYMENTS) - (60 + 74 + 533)

    def test_the_fund_bill_adds_up(self, trading: Trading) -> None:
        files = unzipped(trading.alipay.statements.fetch_statement("signcustomer", trading.day).content)
        detail = next(text for name, text in files.items() if "汇总" not in name)
        rows = list(csv.DictReader(line for line in detail.splitlines() if not line.startswith("#")))
        balance = 0
        for row in rows:
            balance += fen(row["收入金额（+元）"]) + fen(row["支出金额（-元）"])
            assert fen(row["账户余额（元）"]) == balance
        assert balance == sum(paid - back for paid, back in PAYMENTS) - (60 + 74 + 533)

    def test_no_bill_is_believed_after_a_day_and_a_half(self, trading: Trading) -> None:
        empty = trading.day + timedelta(days=1)
        end = datetime.combine(empty, datetime.min.time(), BEIJING) + timedelta(days=1)

        def at(hours: int) -> AlipayChannel:
            return from_settings(trading.alipay.settings(clock=lambda: end + timedelta(hours=hours)))

        assert at(37).fetch_statement("trade", empty).content == b""
        with pytest.raises(StatementNotReady):
            at(35).fetch_statement("trade", empty)

    def test_what_is_no_bill_is_said_so(self, trading: Trading) -> None:
        with pytest.raises(StatementUnavailable):
            trading.alipay.statements.fetch_statement("settlement", trading.day)

    def test_an_address_is_no_longer_good_after_half_a_minute(
        self, trading: Trading, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []
        send = Transport.send

        def keep(self: Transport, method: str, url: str, **more: Any) -> httpx.Response:
            asked.append(url)
            return send(self, method, url, **more)

        monkeypatch.setattr(Transport, "send", keep)
        trading.alipay.statements.fetch_statement("trade", trading.day)
        timestamp = httpx.URL(asked[-1]).params["timestamp"]
        old = str(int(timestamp) - 31_000)
        assert STRANGER.get(asked[-1].replace(timestamp, old)).status_code == 403
        assert STRANGER.get(asked[-1]).status_code == 200


class TestWechat:
    def rows(self, content: bytes) -> tuple[list[dict[str, str]], dict[str, str]]:
        """The rows and the summary, by their headers."""
        assert content.startswith(b"\xef\xbb\xbf") and content.endswith(b"\r\n")
        lines = content.decode("utf-8-sig").removesuffix("\r\n").split("\r\n")
        header, *rows, total_header, total = (line.split(",") for line in lines)
        cells = [[cell.removeprefix("`") for cell in row] for row in (*rows, total)]
        assert all(len(row) == len(header) for row in rows)
        assert all(cell.startswith("`") for row in (*rows, total) for cell in row)
        named = [dict(zip(header, row, strict=True)) for row in cells[:-1]]
        return named, dict(zip(total_header, cells[-1], strict=True))

    def test_the_trade_bill(self, trading: Trading) -> None:
        bill = trading.wechat.statements.fetch_statement("trade", trading.day)
        rows, total = self.rows(bill.content)
        assert len(rows[0]) == 27
        paid = [row for row in rows if row["交易状态"] == "SUCCESS"]
        back = [row for row in rows if row["交易状态"] == "REFUND"]
        assert [fen(row["应结订单金额"]) for row in paid] == [sum_ for sum_, _ in PAYMENTS]
        assert [row["手续费"] for row in paid] == ["0.54000", "0.67000", "0.00000", "4.80000"]
        # a whole refund brings the whole fee back
        assert [row["手续费"] for row in back] == ["-0.14000", "-0.67000"]
        assert {row["退款状态"] for row in back} == {"SUCCESS"}
        assert (rows[0]["费率"], rows[0]["特约商户号"]) == ("0.54%", "0")
        assert rows[0]["商品名称"] == 'Tea\\  "green" 0 茶'
        assert (total["总交易单数"], total["退款总金额"]) == ("6", "148.45")
        assert total["手续费总金额"] == "5.20000"

    @pytest.mark.parametrize(
        ("kind", "count", "columns"), [("trade_success", 4, 20), ("trade_refund", 2, 29)]
    )
    def test_parts_of_it(self, trading: Trading, kind: str, count: int, columns: int) -> None:
        rows, total = self.rows(trading.wechat.statements.fetch_statement(kind, trading.day).content)
        assert (len(rows), len(rows[0])) == (count, columns)
        assert total["总交易单数"] == str(count)

    def test_the_fund_flow_adds_up(self, trading: Trading) -> None:
        rows, total = self.rows(trading.wechat.statements.fetch_statement("fundflow", trading.day).content)
        balance = 0
        for row in rows:
            sign = 1 if row["收支类型"] == "收入" else -1
            balance += sign * fen(row["收支金额(元)"])
            assert fen(row["账户结余(元)"]) == balance
        assert balance == sum(paid - back for paid, back in PAYMENTS) - 520
        assert total["资金流水总笔数"] == f"{len(rows)}.0"

    def test_days_without_a_bill(self, trading: Trading) -> None:
        channel = trading.wechat.statements
        assert channel.fetch_statement("trade", trading.day - timedelta(days=1)).content == b""
        with pytest.raises(StatementNotReady):
            channel.fetch_statement("trade", (datetime.now(BEIJING) + LATER).date())
        with pytest.raises(StatementUnavailable):
            channel.fetch_statement("fundflow", trading.day - timedelta(days=200))
        with pytest.raises(StatementUnavailable):
            channel.fetch_statement("dividends", trading.day)


class TestOracles:
    """Independent clients get the same files."""

    def test_wechat(self, trading: Trading) -> None:
        wx = trading.wechat
        oracle = WeChatPay(
            wechatpay_type=WeChatPayType.NATIVE,
            mchid=wx.account["mchid"],
            private_key=private_pem(wx.key),
            cert_serial_no=wx.account["merchant_serial"],
            appid=wx.account["appid"],
            apiv3_key=wx.account["api_v3_key"],
            public_key=wx.account["public_key"],
            public_key_id=wx.account["public_key_id"],
        )
        # It signs what follows the host's address, so the sandbox also answers at its root.
        oracle._core._gate_way = wx.sandbox.url
        for kind, ask in (("trade", oracle.trade_bill), ("fundflow", oracle.fundflow_bill)):
            status, body = ask(trading.day.isoformat(), tar_type="GZIP")
            status, packed = oracle.download_bill(json.loads(body)["download_url"])
            assert status == 200
            ours = wx.statements.fetch_statement(kind, trading.day).content
            assert gzip.decompress(packed) == ours
        status, body = oracle.trade_bill((trading.day - timedelta(days=1)).isoformat())
        assert (status, json.loads(body)["code"]) == (400, "NO_STATEMENT_EXIST")

    def test_alipay(self, trading: Trading) -> None:
        ali = trading.alipay
        oracle = AliPay(
            appid=ali.account["app_id"],
            app_notify_url="",
            app_private_key_string=private_pem(ali.key),
            alipay_public_key_string=ali.account["alipay_public_key"],
        )
        oracle._gateway = f"{ali.sandbox.url}/alipay/gateway.do"
        content = {"bill_type": "trade", "bill_date": trading.day.isoformat()}
        method = "alipay.data.dataservice.bill.downloadurl.query"
        name = f"{method.replace('.', '_')}_response"
        answer = oracle.verified_sync_response(oracle.build_body(method, content), name)
        ours = unzipped(ali.statements.fetch_statement("trade", trading.day).content)
        theirs = unzipped(STRANGER.get(answer["bill_download_url"]).content)
        assert {name: rows(text) for name, text in theirs.items()} == {
            name: rows(text) for name, text in ours.items()
        }


class TestBoth:
    @pytest.mark.parametrize("code", ["alipay", "wechat"])
    def test_what_is_not_the_whole_file_is_refused(
        self, trading: Trading, code: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        driver = trading.of(code)
        genuine = driver.statements.fetch_statement("trade", trading.day).content
        other = gzip.compress(genuine.replace(b"10", b"11")) if code == "wechat" else genuine
        spoilt = [b"", b"<html>busy</html>", genuine[:-50], genuine[:100], gzip.compress(b"x")[:-4]]
        if code == "wechat":
            spoilt.append(other)
        else:
            spoilt.append(genuine[:80] + bytes([genuine[80] ^ 1]) + genuine[81:])
            # Its first block is of a type that there is not.
            begin = 30 + sum(unpack_from("<HH", genuine, 26))
            spoilt.append(genuine[:begin] + b"\xff" + genuine[begin + 1 :])
        send = Transport.send
        for content in spoilt:
            answer = httpx.Response(200, content=content)
            monkeypatch.setattr(
                Transport,
                "send",
                # And not what is asked for the address.
                lambda *a, answer=answer, **k: (
                    answer if re.search("download(?!url)", a[2]) else send(*a, **k)
                ),
            )
            with pytest.raises(ChannelUnavailable):
                driver.statements.fetch_statement("trade", trading.day)
        monkeypatch.undo()
        assert driver.statements.fetch_statement("trade", trading.day).content == genuine

    @pytest.mark.parametrize("code", ["alipay", "wechat"])
    def test_no_answer_can_be_asked_again(self, trading: Trading, code: str) -> None:
        driver = trading.of(code)
        for kind, status in (("drop_before", 500), ("error_before", 500), ("error_before", 429)):
            asked = {"path": f"/{code}", "kind": kind, "status": status, "times": 1}
            driver.sandbox.ask("POST", "/control/faults", asked)
            with pytest.raises(ChannelUnavailable):
                driver.statements.fetch_statement("trade", trading.day)
        assert driver.statements.fetch_statement("trade", trading.day).content


def test_both_say_what_they_do(trading: Trading) -> None:
    for code in ("alipay", "wechat"):
        assert Capability.STATEMENT in trading.of(code).channel.capabilities
