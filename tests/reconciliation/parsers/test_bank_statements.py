"""What banks write: ISO 20022, SWIFT and CSV."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import mt940
import pytest

from ledger.money import Money
from reconciliation import errors
from reconciliation.parsers import Mapping
from tests.reconciliation.parsers.samples import BANK_MAPPING, IBAN, REF, SAMPLES

CAMT, MT940, CSV = SAMPLES["camt"], SAMPLES["mt940"], SAMPLES["bank_csv"]
MIDNIGHT = datetime(2026, 11, 19, 23, tzinfo=UTC)  # in Berlin


class TestCamt:
    def test_booked_lines(self) -> None:
        deposit, order, third = CAMT.read()
        assert (deposit.number, deposit.kind, deposit.amount, deposit.currency) == (9, "credit", 7_130, "EUR")
        assert (deposit.their_reference, deposit.group, deposit.reference) == ("B1", "po_1", "")
        # pieces of a text are one text
        assert deposit.text == "STRIPE STRIPE PAYOUT po_1 & thanks"
        assert deposit.happened_at == MIDNIGHT
        assert (order.kind, order.amount, order.reference) == ("debit", -2_550, REF)
        assert order.happened_at == datetime(2026, 11, 20, 10, tzinfo=UTC)
        assert third.text == ""

    def test_a_report_of_the_day_has_pending_lines_and_no_closing_balance(self) -> None:
        report = (
            CAMT.text("BkToCstmrStmt", "BkToCstmrAcctRpt").text("<Stmt>", "<Rpt>").text("</Stmt>", "</Rpt>")
        )
        report = report.text("<Cd>CLBD</Cd>", "<Cd>ITBD</Cd>").text("<Sts>BOOK</Sts>", "<Sts>PDNG</Sts>")
        report = report.text("<NbOfNtries>3</NbOfNtries><Sum>196.50</Sum>", "")
        states = [line.state for line in replace(report, kind="camt.052").read()]
        assert states == ["success", "processing", "success"]

    def test_each_currency_has_balances_of_its_own(self) -> None:
        start, end = CAMT.content.index(b"<Bal>"), CAMT.content.index(b"</Stmt>")
        once = CAMT.content[start:end].replace(b"<NbOfNtries>3</NbOfNtries><Sum>196.50</Sum>", b"")
        both = CAMT.content[:start] + once + once.replace(b'"EUR"', b'"USD"') + CAMT.content[end:]
        told = replace(CAMT.told, currency="")
        content = both.replace(b"<Ccy>EUR</Ccy>", b"")
        assert sum(line.amount for line in CAMT.read(content, told) if line.currency == "USD") == 14_550
        with pytest.raises(errors.StatementTotalsDiffer):
            CAMT.read(content.replace(b'"USD">99.70', b'"USD">99.71'), told)

    def test_what_is_for_information_only_is_no_line(self) -> None:
        told = CAMT.text("<Sts>BOOK</Sts>", "<Sts>INFO</Sts>").text("1145.50", "1171.00")
        told = told.text("<NbOfNtries>3</NbOfNtries><Sum>196.50</Sum>", "")
        assert [line.amount for line in told.read()] == [7_130, 9_970]

    @pytest.mark.parametrize(
        ("old", "new", "refusal"),
        [
            ("99.70", "99.71", errors.StatementTotalsDiffer),
            ("1145.50", "1145.51", errors.StatementTotalsDiffer),
            ("<NbOfNtries>3<", "<NbOfNtries>4<", errors.StatementTotalsDiffer),
            ("CLBD", "XXXX", errors.StatementTotalsDiffer),
            (IBAN, "DE00", errors.StatementOtherMerchant),
            ('Ccy="EUR">99.70', 'Ccy="USD">99.70', errors.StatementOtherCurrency),
            (
                "<Dt>2026-11-20</Dt></BookgDt><AcctSvcrRef>B3",
                "<Dt>2026-11-21</Dt></BookgDt>",
                errors.StatementDamaged,
            ),
            ("T11:00:00+01:00", "T11:00:00+25:00", errors.StatementRowMalformed),
            ("99.70", "1e3", errors.StatementRowMalformed),
            ("<CdtDbtInd>DBIT", "<CdtDbtInd>LEFT", errors.StatementRowMalformed),
            ("</Stmt></BkToCstmrStmt></Document>", "", errors.StatementTruncated),
            ("<Stmt>", "<Else>", errors.StatementDamaged),
            ("</GrpHdr>", "</GrpHdr><Ntry>", errors.StatementDamaged),
        ],
    )
    def test_refused(self, old: str, new: str, refusal: type[errors.StatementRefused]) -> None:
        with pytest.raises(refusal):
            CAMT.text(old, new).read()

    def test_xml_that_attacks(self) -> None:
        bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Document>&b;</Document>'
        deep = "<Document>" + "<a>" * 60
        large = f"<Document><Stmt><Ntry>{'<a/>' * 100_000}"
        for text in (
            bomb,
            deep,
            large,
            '<?xml version="1.0" encoding="utf-7"?><Document/>',
            "<Document/>",
        ):
            with pytest.raises(errors.StatementDamaged):
                CAMT.read(text.encode())


class TestMt940:
    def test_entries_and_their_texts(self) -> None:
        deposit, order, reversal = MT940.read()
        assert (deposit.number, deposit.kind, deposit.amount, deposit.currency) == (6, "credit", 7_130, "EUR")
        assert (deposit.their_reference, deposit.reference, deposit.happened_at) == ("B1", "", MIDNIGHT)
        assert "STRIPE PAYOUT po_1" in deposit.text
        assert (order.kind, order.amount, order.reference) == ("debit", -2_550, REF)
        assert (reversal.amount, reversal.reference, reversal.text) == (1, "K1", "Reversal")

    def test_a_text_that_was_cut_into_pieces_is_one(self) -> None:
        cut = MT940.text("?20EREF+NOTPROVIDED?21SVWZ+STRIPE PAYOUT po_1", "?20SVWZ+STRIPE PAYOUT p?21o_1")
        assert "PAYOUT po_1" in cut.read()[0].text

    def test_pages_follow_each_other(self) -> None:
        [(_, text)] = MT940.members
        second = text.replace(b":60F:C261119EUR1000,00", b":60F:C261120EUR1045,81")
        second = second.replace(b":62F:C261120EUR1045,81", b":62F:C261120EUR1091,62")
        assert len(MT940.read(text + second)) == 6
        with pytest.raises(errors.StatementTotalsDiffer) as refused:
            MT940.read(text + text)
        assert refused.value.context["line"] == 18

    def test_an_account_of_several_currencies(self) -> None:
        [(_, text)] = MT940.members
        both = text + text.replace(b"EUR1", b"USD1")
        lines = MT940.read(both, replace(MT940.told, currency=""))
        assert [line.currency for line in lines] == ["EUR"] * 3 + ["USD"] * 3

    def test_an_empty_day(self) -> None:
        text = f":20:X\r\n:25:{IBAN}\r\n:28C:1\r\n:60F:C261120EUR1,00\r\n:62F:C261120EUR1,00\r\n"
        assert MT940.read(text.encode()) == []

    def test_new_year(self) -> None:
        lines = MT940.text(":61:2611201120", ":61:2612310101").read(
            told=replace(MT940.told, day=date(2027, 1, 1))
        )
        assert len(lines) == 3

    def test_letters_of_any_bank(self) -> None:
        for encoding in ("utf-8", "latin-1"):
            written = MT940.text("Reversal", "Grüße", encoding)
            assert written.read()[2].text == "Grüße"

    @pytest.mark.parametrize(
        ("old", "new", "refusal", "line"),
        [
            ("R71,30", "R71,31", errors.StatementTotalsDiffer, 12),
            ("EUR1045,81", "EUR1045,82", errors.StatementTotalsDiffer, 12),
            (":62F:C261120EUR1045,81\r\n-}\r\n", "", errors.StatementTruncated, 10),
            (IBAN, "DE00", errors.StatementOtherMerchant, 3),
            ("C261119EUR", "C261119USD", errors.StatementOtherCurrency, 5),
            ("2611201120D25,5", "2611191119D25,5", errors.StatementMixedDays, 8),
            ("2611201120CR71", "2611191119CR71", errors.StatementOtherDay, 6),
            ("D25,5NTRF", "D25.5NTRF", errors.StatementRowMalformed, 8),
            ("D25,5NTRF", "X25,5NTRF", errors.StatementRowMalformed, 8),
            (":20:STARTUMSE", "STARTUMSE", errors.StatementDamaged, 2),
        ],
    )
    def test_refusals_name_the_line(
        self, old: str, new: str, refusal: type[errors.StatementRefused], line: int
    ) -> None:
        with pytest.raises(refusal) as refused:
            MT940.text(old, new).read()
        assert (type(refused.value), refused.value.context["line"]) == (refusal, line)


class TestCsv:
    def read(self, text: str, **mapping: Any) -> list[int]:
        given = Mapping(**{"date": "date", "amount": "amount", **mapping})
        told = replace(CSV.told, mapping=given)
        return [line.amount for line in CSV.read(text.encode(given.encoding), told)]

    def test_a_saved_mapping(self) -> None:
        deposit, order = CSV.read()
        assert (deposit.number, deposit.kind, deposit.amount) == (3, "credit", 107_130)
        assert (deposit.text, deposit.happened_at) == ("STRIPE; PAYOUT po_1", MIDNIGHT)
        assert (order.kind, order.amount) == ("debit", -2_550)

    def test_the_ways_to_say_a_direction(self) -> None:
        head = "date,amount,way,in,out"
        rows = f"{head}\n2026-11-20,5.00,C,5.00,\n2026-11-20,2.50,d,,2.50\n"
        assert self.read(rows, direction="way") == [500, -250]
        assert self.read(rows, amount="", credit="in", debit="out") == [500, -250]
        assert self.read(rows.replace("2.50,d", "-2.50,d")) == [500, -250]

    def test_thousands(self) -> None:
        rows = 'date,amount\n2026-11-20,"1,234.50"\n2026-11-20,+7\n'
        assert self.read(rows) == [123_450, 700]
        with pytest.raises(errors.StatementRowMalformed):
            self.read(rows, decimal_comma=True)

    def test_other_columns(self) -> None:
        same: dict[str, Any] = {name: name for name in ("currency", "account", "reference", "batch")}
        told = Mapping(
            date="date", amount="amount", their_reference="theirs", text=("payer", "words"), **same
        )
        text = (
            "date,amount,currency,account,reference,batch,theirs,payer,words\n"
            f"2026-11-20,-3.00,eur,{IBAN[:4]} {IBAN[4:]},{REF},po_1,B1,Li,=cmd()\n"
        )
        [line] = CSV.read(text.encode(), replace(CSV.told, mapping=told))
        assert (line.reference, line.group, line.their_reference, line.text) == (
            REF,
            "po_1",
            "B1",
            "Li =cmd()",
        )
        with pytest.raises(errors.StatementOtherMerchant):
            CSV.read(text.replace(IBAN[4:], "X").encode(), replace(CSV.told, mapping=told))

    @pytest.mark.parametrize(
        ("old", "new", "refusal", "line"),
        [
            ("-25,50", "-25,51", errors.StatementTotalsDiffer, 4),
            ("-25,50", "-25.50", errors.StatementRowMalformed, 4),
            ("20.11.2026;Refund", "21.11.2026;Refund", errors.StatementMixedDays, 4),
            ("20.11.2026;Refund", "2026-11-20;Refund", errors.StatementRowMalformed, 4),
            ("Betrag", "Summe", errors.StatementColumnMissing, 2),
            (";EUR;2.045,80", ";USD;2.045,80", errors.StatementOtherCurrency, 4),
            ("Refund;", "Re;fund;", errors.StatementRowMalformed, 4),
        ],
    )
    def test_refusals_name_the_line(
        self, old: str, new: str, refusal: type[errors.StatementRefused], line: int
    ) -> None:
        with pytest.raises(refusal) as refused:
            CSV.text(old, new, "cp1252").read()
        assert (type(refused.value), refused.value.context["line"]) == (refusal, line)

    @pytest.mark.parametrize(
        "change",
        [
            {"amount": ""},
            {"credit": "a", "debit": "b"},
            {"delimiter": ";;"},
            {"date_format": "yyyy"},
            {"encoding": "utf-16"},
            {"encoding": "klingon"},
            {"encoding": "base64"},
            {"skip_lines": -1},
        ],
    )
    def test_a_mapping_that_can_not_be_used(self, change: dict[str, Any]) -> None:
        with pytest.raises(errors.StatementMappingInvalid):
            CSV.read(told=replace(CSV.told, mapping=replace(BANK_MAPPING, **change)))

    def test_no_mapping_no_zone(self) -> None:
        for told in (replace(CSV.told, mapping=None), replace(CSV.told, time_zone="Mars/Base")):
            with pytest.raises(errors.StatementMappingInvalid):
                CSV.read(told=told)


def test_another_reader_of_mt940_finds_the_same() -> None:
    theirs = mt940.parse(io.BytesIO(MT940.content), options=mt940.Options.all())
    told = [(entry.data["amount"].amount, entry.data["bank_reference"]) for entry in theirs]
    assert told == [(Money(line.amount, line.currency).major, line.their_reference) for line in MT940.read()]
