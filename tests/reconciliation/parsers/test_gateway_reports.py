"""Stripe's reports, UnionPay's settlement and the e-CNY bill: what is read of them, and what is refused."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from reconciliation import errors
from reconciliation.parsers import Told
from tests.reconciliation.parsers.samples import (
    ATT,
    ATT2,
    DAY,
    REF,
    SAMPLES,
    UNIONPAY_MERCHANT,
    unionpay_line,
    zipped,
)

MOVEMENTS, PAYOUTS, PAID_OUT = (
    SAMPLES["stripe_movements"],
    SAMPLES["stripe_payouts"],
    SAMPLES["stripe_paid_out"],
)
UNIONPAY, ECNY = SAMPLES["unionpay"], SAMPLES["ecny"]


class TestStripe:
    def test_every_kind_of_movement(self) -> None:
        charge, refund, dispute, won, returned, fee, yen, dinar = MOVEMENTS.read()
        assert (charge.kind, charge.reference, charge.their_reference) == ("payment", ATT, "pi_1")
        assert (charge.amount, charge.fee, charge.currency, charge.text) == (
            10_000,
            320_000,
            "USD",
            'Tea, "green" tea',
        )
        assert charge.happened_at == datetime(2026, 11, 20, 10, 11, 12, tzinfo=UTC)
        assert (refund.kind, refund.reference, refund.parent, refund.amount) == ("refund", REF, ATT, -2_550)
        assert (dispute.kind, dispute.parent, dispute.their_reference) == ("dispute", ATT, "dp_1")
        assert (dispute.amount, dispute.fee) == (-1_000, 1_500_000)
        assert (won.kind, won.amount) == ("dispute_won", 1_000)
        assert (returned.kind, returned.reference, returned.amount) == ("refund_returned", REF, 2_550)
        assert (fee.kind, fee.amount, fee.reference, fee.their_reference) == ("fee", -200, "", "txn_6")
        assert (yen.reference, yen.amount, yen.fee, yen.currency) == (ATT2, 5_000, 180_000, "JPY")
        assert (dinar.amount, dinar.fee) == (1_230, 340_000)

    def test_payouts_and_what_they_are_made_of(self) -> None:
        paid, going = PAYOUTS.read()
        assert (paid.kind, paid.amount, paid.group, paid.state) == ("payout", -7_130, "po_1", "success")
        assert going.state == "processing"
        charge, refund = PAID_OUT.read()
        assert {charge.group, refund.group} == {"po_1"}
        assert charge.happened_at.date() == date(2026, 11, 17)

    def test_the_export_of_the_console(self) -> None:
        legacy = (
            '"ID","Type","Source","Amount","Fee","Net","Currency","Created (UTC)","Available On (UTC)"\n'
            '"txn_1","charge","ch_1","100.00","3.20","96.80","usd","2026-11-20 10:11:12","2026-11-22 00:00:00"\n'
        )
        [line] = MOVEMENTS.read(legacy.encode())
        assert (line.kind, line.amount, line.fee, line.their_reference) == (
            "payment",
            10_000,
            320_000,
            "ch_1",
        )

    def test_the_order_of_columns_does_not_matter(self) -> None:
        rows = [line.split(",") for line in PAYOUTS.content.decode().splitlines()]
        turned = "".join(",".join(reversed(row)) + "\n" for row in rows)
        assert PAYOUTS.read(turned.encode()) == PAYOUTS.read()

    @pytest.mark.parametrize(
        ("old", "new", "refusal", "line"),
        [
            ("usd,100.00,3.20", "usd,100.00,3.21", errors.StatementTotalsDiffer, 2),
            ("usd,100.00,3.20", "usd,100.005,3.20", errors.StatementRowMalformed, 2),
            ("usd,100.00,3.20", "xxq,100.00,3.20", errors.StatementRowMalformed, 2),
            ("jpy,5000", "jpy,5000.5", errors.StatementRowMalformed, 8),
            ("2026-11-20 11:00:00,", "2026-11-21 00:00:00,", errors.StatementMixedDays, 3),
            ("2026-11-20 10:11:12,", "2026-11-19 23:59:59,", errors.StatementOtherDay, 2),
            (",reporting_category", ",category", errors.StatementColumnMissing, 1),
            (
                "bhd,1.230,0.340,0.890,charge,ch_3,,ch_3,pi_3,card,,,,,\n",
                "bhd,1.230",
                errors.StatementTruncated,
                9,
            ),
            ('"Tea, ""green"" tea"', '"Tea" x', errors.StatementRowMalformed, 2),
        ],
    )
    def test_refusals_name_the_line(
        self, old: str, new: str, refusal: type[errors.StatementRefused], line: int
    ) -> None:
        with pytest.raises(refusal) as refused:
            MOVEMENTS.text(old, new).read()
        assert (type(refused.value), refused.value.context["line"]) == (refusal, line)


class TestUnionPay:
    def test_fixed_width(self) -> None:
        paid, before_midnight, back = UNIONPAY.read()
        assert (paid.kind, paid.amount, paid.fee, paid.their_reference) == (
            "payment",
            10_000,
            60_000,
            "101112123456",
        )
        assert paid.happened_at == datetime(2026, 11, 20, 2, 11, 12, tzinfo=UTC)
        assert before_midnight.happened_at == datetime(2026, 11, 19, 15, 30, tzinfo=UTC)
        assert (back.kind, back.amount, back.reference) == ("refund", -2_550, "")
        assert "6221558812340000" not in str(UNIONPAY.read())

    def test_in_a_zip_beside_other_files(self) -> None:
        packed = zipped([("IND1120ACOMN", UNIONPAY.content), ("IND1120ALFEE", b"")])
        assert UNIONPAY.read(packed) == UNIONPAY.read()

    def test_a_year_ends(self) -> None:
        text = unionpay_line("1231233000", "000000", 1, "233000123456") + "\n"
        [line] = UNIONPAY.read(text.encode(), Told(day=date(2027, 1, 1)))
        assert line.happened_at == datetime(2026, 12, 31, 15, 30, tzinfo=UTC)

    def test_refused(self) -> None:
        for old, new, refusal in (
            (" 000000 ", " 990000 ", errors.StatementRowMalformed),
            ("000000010000", "00000001000X", errors.StatementRowMalformed),
            (UNIONPAY_MERCHANT, "777290058110049", errors.StatementOtherMerchant),
            ("1120110000", "1121110000", errors.StatementMixedDays),
            ("1120101112", "1320101112", errors.StatementRowMalformed),
            ("48021000   ", "48021000 ", errors.StatementRowMalformed),
        ):
            with pytest.raises(refusal):
                UNIONPAY.text(old, new).read()

    def test_other_widths(self) -> None:
        with pytest.raises(errors.StatementRowMalformed) as refused:
            UNIONPAY.read(told=replace(UNIONPAY.told, widths=(12, 11)))
        assert "settings" in str(refused.value)


class TestEcny:
    def test_the_bill(self) -> None:
        paid, back = ECNY.read()
        assert (paid.kind, paid.reference, paid.amount, paid.their_reference) == (
            "payment",
            ATT,
            10_000,
            "E1",
        )
        assert (back.kind, back.reference, back.parent, back.amount) == ("refund", REF, ATT, -2_550)
        assert back.happened_at.date() == DAY

    @pytest.mark.parametrize(
        ("old", "new", "refusal"),
        [
            (",-2550,", ",2550,", errors.StatementRowMalformed),
            (",refund,", ",gift,", errors.StatementRowMalformed),
            ("T23:59:59+08:00", "T23:59:59", errors.StatementRowMalformed),
            ("T23:59:59+08:00", "T23:59:59+00:00", errors.StatementMixedDays),
            ("out_refund_no", "refund", errors.StatementColumnMissing),
            (",-2550,0\r\n", ",-2550,0", errors.StatementTruncated),
        ],
    )
    def test_refused(self, old: str, new: str, refusal: type[errors.StatementRefused]) -> None:
        with pytest.raises(refusal):
            ECNY.text(old, new).read()
