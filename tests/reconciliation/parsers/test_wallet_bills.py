"""WeChat Pay's and Alipay's bills: what is read of them, and what is refused."""

import gzip
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from reconciliation import errors
from reconciliation.parsers.fields import hidden
from tests.reconciliation.parsers.samples import ATT, ATT2, DAY, PID, REF, SAMPLES, plain, zipped

ALL, FLOW = SAMPLES["wechat_all"], SAMPLES["wechat_flow"]
TRADE, FUND = SAMPLES["alipay_trade"], SAMPLES["alipay_fund"]


class TestWechat:
    def test_payments_and_refunds_with_their_fees(self) -> None:
        paid, small, back = ALL.read()
        assert (paid.number, paid.kind, paid.reference, paid.parent) == (2, "payment", ATT, "")
        assert (paid.their_reference, paid.amount, paid.fee) == (
            "4200001234202611201234567890",
            10_000,
            60_000,
        )
        assert paid.happened_at == datetime(2026, 11, 20, 2, 11, 12, tzinfo=UTC)
        assert (paid.currency, paid.state, paid.group) == ("CNY", "success", "")
        assert (small.amount, small.fee, small.text) == (1, 6, "=1+1")
        assert (back.kind, back.reference, back.parent) == ("refund", REF, ATT)
        assert (back.amount, back.fee, back.state) == (-2_550, -15_300, "processing")

    @pytest.mark.parametrize(
        ("told", "state"), [("SUCCESS", "success"), ("FAIL", "failed"), ("CHANGE", "processing")]
    )
    def test_the_state_of_a_refund(self, told: str, state: str) -> None:
        assert ALL.text("`PROCESSING", f"`{told}").read()[2].state == state

    def test_the_other_sorts_of_the_bill(self) -> None:
        [paid] = SAMPLES["wechat_success"].read()
        assert (paid.reference, paid.amount, paid.fee) == (ATT, 10_000, 60_000)
        [back] = SAMPLES["wechat_refund"].read()
        # the row names the day of the payment, too
        assert (back.reference, back.amount, back.happened_at.date()) == (REF, -2_550, DAY)

    def test_packed_or_not_it_is_the_same(self) -> None:
        packed = (gzip.compress(ALL.content), zipped([("bill.csv", ALL.content)]))
        assert [ALL.read(content) for content in packed] == [ALL.read()] * 2
        assert ALL.read(ALL.content.replace(b"\r\n", b"\n").removeprefix(b"\xef\xbb\xbf")) == ALL.read()

    def test_what_moved_on_the_account(self) -> None:
        paid, fee, back, fee_back, payout = FLOW.read()
        assert (paid.kind, paid.reference, paid.amount) == ("payment", ATT, 10_000)
        assert (fee.kind, fee.reference, fee.parent, fee.amount) == ("fee", "", ATT, -60)
        assert (back.kind, back.reference, back.amount) == ("refund", REF, -2_550)
        assert (fee_back.kind, fee_back.parent, fee_back.amount) == ("fee", REF, 15)
        assert (payout.kind, payout.amount, payout.group) == ("payout", -100_000, "100005678202611200001")

    def test_a_day_with_a_header_and_a_summary_only(self) -> None:
        header, *_, totals, _ = ALL.content.decode("utf-8-sig").split("\r\n")[:6]
        empty = "\r\n".join((header, totals, "`0" + ",`0.00" * 3 + ",`0.00000" + ",`0.00" * 2, ""))
        assert ALL.read(empty.encode("utf-8-sig")) == []

    @pytest.mark.parametrize(
        ("old", "new", "refusal", "line"),
        [
            ("`100.00,`0.00,`0,", "`100.01,`0.00,`0,", errors.StatementTotalsDiffer, 6),
            ("`0.60000,", "`0.60001,", errors.StatementTotalsDiffer, 6),
            ("`3,`100.01", "`4,`100.01", errors.StatementTotalsDiffer, 6),
            ("`0.60000,", "`0.6,", errors.StatementRowMalformed, 2),
            ("`25.50,`0.00,`ORIGINAL", "`2_5.50,`0.00,`ORIGINAL", errors.StatementRowMalformed, 4),
            ("`REFUND,", "`LOST,", errors.StatementRowMalformed, 4),
            ("`绿茶,", "`绿,`茶,", errors.StatementRowMalformed, 4),
            ("2026-11-20 12:00:00", "2026-11-19 23:59:59", errors.StatementMixedDays, 3),
            ("2026-11-20 10:11:12", "2026-11-19 23:59:59", errors.StatementOtherDay, 2),
            ("1900000109", "1900000999", errors.StatementOtherMerchant, 2),
            ("`CNY", "`HKD", errors.StatementOtherCurrency, 2),
            ("微信订单号", "订单号", errors.StatementColumnMissing, 1),
            ("`3,`100.01,`25.50,`0.00,`0.44706,`100.01,`25.50\r\n", "", errors.StatementTruncated, 5),
            ("`25.50\r\n", "`25.50\r\n`1", errors.StatementDamaged, 7),
        ],
    )
    def test_refusals_name_the_line(
        self, old: str, new: str, refusal: type[errors.StatementRefused], line: int
    ) -> None:
        with pytest.raises(refusal) as refused:
            ALL.text(old, new).read()
        assert (type(refused.value), refused.value.context["line"]) == (refusal, line)
        assert str(line) in str(refused.value)

    def test_the_refusal_names_the_column(self) -> None:
        with pytest.raises(errors.StatementRowMalformed) as refused:
            ALL.text("`0.60000,", "`0.6,").read()
        assert refused.value.context["column"] == "手续费"

    def test_an_account_flow_that_does_not_add_up(self) -> None:
        with pytest.raises(errors.StatementTotalsDiffer):
            FLOW.text("`支出,`0.60", "`支出,`0.61").read()
        with pytest.raises(errors.StatementRowMalformed):
            FLOW.text("`支出,`0.60", "`没有,`0.60").read()

    def test_card_numbers_do_not_come_in(self) -> None:
        spoilt = ALL.text("`绿茶,", "`4242 4242 4242 4242 and 6221558812340000,")
        assert spoilt.read()[2].text == "[card number] and [card number]"

    def test_a_name_with_digits_is_no_card_number(self) -> None:
        assert hidden("SWEEP EC364465348520261109") == "SWEEP EC364465348520261109"
        assert hidden("SWEEP 364465348520261109") == "SWEEP [card number]"
        assert hidden("card4242424242424242") == "card[card number]"


class TestAlipay:
    def test_payments_and_refunds_with_their_fees(self) -> None:
        paid, small, back = TRADE.read()
        assert (paid.number, paid.kind, paid.reference) == (6, "payment", ATT)
        assert (paid.their_reference, paid.amount, paid.fee) == (
            "2026112022001400001000000001",
            10_000,
            60_000,
        )
        assert (paid.text, small.text) == ('Tea, "green" 茶', '=HYPERLINK("http://x")')
        assert (small.reference, small.amount, small.fee) == (ATT2, 1, 0)
        assert (back.kind, back.reference, back.parent) == ("refund", REF, ATT)
        assert (back.amount, back.fee) == (-2_550, -15_000)
        assert back.happened_at == datetime(2026, 11, 20, 15, 59, 59, tzinfo=UTC)

    def test_fees_of_older_bills_have_the_other_sign(self) -> None:
        older = TRADE.text(",-0.60,", ",0.60,", "gb18030").text(",0.15,", ",-0.15,", "gb18030")
        older = older.text(",-0.45,", ",0.45,", "gb18030")
        assert older.read() == TRADE.read()

    def test_newer_bills_have_more_columns_and_other_brackets(self) -> None:
        (name, detail), summary = TRADE.members
        lines = detail.decode("gb18030").split("\r\n")
        more = [
            line
            + (
                ",门店类型,产品,渠道,活动"
                if "支付宝交易号" in line
                else ""
                if line[:1] in ("#", "")
                else ",,,,"
            )
            for line in lines
        ]
        text = "\r\n".join(more).replace("（元）", "(元)")
        newer = replace(TRADE, members=((name, text.encode("gb18030")), summary))
        assert newer.read() == TRADE.read()

    def test_the_detail_alone_has_totals_of_its_own(self) -> None:
        alone = replace(TRADE, members=TRADE.members[:1], pack=plain)
        assert alone.read() == TRADE.read()
        with pytest.raises(errors.StatementTotalsDiffer):
            alone.text(",100.00,100.00,", ",100.00,100.10,", "gb18030").read()

    def test_what_moved_on_the_account(self) -> None:
        paid, fee, back, payout = FUND.read()
        assert (paid.kind, paid.reference, paid.amount) == ("payment", ATT, 10_000)
        assert (fee.kind, fee.reference, fee.parent, fee.amount) == ("fee", "", ATT, -60)
        assert (back.kind, back.reference, back.parent, back.amount) == ("refund", REF, ATT, -2_550)
        assert (payout.kind, payout.amount, payout.group) == ("payout", -100_000, "2026112000009999")

    def test_the_newest_row_may_come_first(self) -> None:
        (name, detail), summary = FUND.members
        lines = detail.split(b"\r\n")
        turned = b"\r\n".join([*lines[:5], *reversed(lines[5:9]), *lines[9:]])
        lines_read = replace(FUND, members=((name, turned), summary)).read()
        assert [line.amount for line in lines_read] == [-100_000, -2_550, -60, 10_000]

    @pytest.mark.parametrize(
        ("sample", "old", "new", "refusal", "line"),
        [
            (TRADE, ",100.00,100.00,", ",100.00,100.10,", errors.StatementTotalsDiffer, 10),
            (TRADE, "合计,,2,1,", "合计,,3,1,", errors.StatementTotalsDiffer, 7),
            (TRADE, ",-0.60,", ",-0.61,", errors.StatementTotalsDiffer, 7),
            (TRADE, "业务明细列表结束", "", errors.StatementTruncated, None),
            (TRADE, "#退款合计：1笔", "#退款", errors.StatementTruncated, None),
            (TRADE, "合计,,2,1", ",,2,1", errors.StatementTruncated, 7),
            (TRADE, f"[{PID}0156]", "[20880000000000000156]", errors.StatementOtherMerchant, 2),
            (TRADE, "[2026年11月20日", "[2026年11月19日", errors.StatementOtherDay, 3),
            (TRADE, "2026-11-20 12:00:05", "2026-11-21 00:00:00", errors.StatementMixedDays, 7),
            (TRADE, "商家实收（元）", "实收", errors.StatementColumnMissing, 5),
            (TRADE, ",0.01,0.01,", ",0.01,x,", errors.StatementRowMalformed, 7),
            (TRADE, "退款,茶,", "退款,", errors.StatementRowMalformed, 8),
            (FUND, "1073.90", "1073.91", errors.StatementTotalsDiffer, 8),
            (FUND, "0.00,-0.60", "0.00,-0.61", errors.StatementTotalsDiffer, 7),
            (FUND, "共100.00元", "共100.01元", errors.StatementTotalsDiffer, 12),
            (FUND, "0.00,-25.50", "1.00,-25.50", errors.StatementRowMalformed, 8),
        ],
    )
    def test_refusals_name_the_line(self, sample, old, new, refusal, line) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(refusal) as refused:
            sample.text(old, new, "gb18030").read()
        assert (type(refused.value), refused.value.context.get("line")) == (refusal, line)

    def test_text_that_is_not_gbk(self) -> None:
        (name, detail), summary = TRADE.members
        with pytest.raises(errors.StatementDamaged) as refused:
            replace(TRADE, members=((name, detail + b"\xff\xff"), summary)).read()
        assert "GB18030" in str(refused.value)


def test_the_statement_of_a_month() -> None:
    told = replace(ALL.told, day=date(2026, 11, 1), until=date(2026, 11, 30))
    assert len(ALL.read(told=told)) == 3
    with pytest.raises(errors.StatementOtherDay):
        ALL.read(told=replace(told, until=date(2026, 11, 19)))
