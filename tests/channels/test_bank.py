"""Bank transfer: references as people type them, what came and what did not, money back, XML and notices that lie."""

import json
import string
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.identifiers import encode, new_key
from ledger.money import Money
from payments.channels.bank.channel import from_settings
from payments.channels.bank.references import quotes, references_in, transfer_reference
from payments.channels.bank.reports import read_report
from payments.channels.bank.xml import parse
from payments.channels.contract import (
    ActionKind,
    Answer,
    InvalidSignature,
    MalformedNotice,
    MovementRequest,
    NotForUs,
    Notice,
    NoticeKind,
    Outcome,
    StaleNotice,
    StartRequest,
)
from payments.channels.shared_secret import header
from tests.channels.drivers.bank import BankDriver
from tests.channels.world import Receiver, Sandbox, eventually, running_sandbox

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ACCOUNT = "XX12SAND0000001X000001"
REFERENCE = transfer_reference("att_01jd0000000000000000000000")
SETTINGS: dict[str, Any] = {
    "api_base": "http://127.0.0.1:9",
    "account": ACCOUNT,
    "account_name": "Smart Checkout",
    "bank_name": "Bank",
    "token": "t",
    "request_secret": "r",
    "notice_secrets": ["new", "old"],
    "timeout_seconds": 1.0,
    "clock": lambda: NOW,
}
CREDIT = {
    "notice": "ntc_1",
    "kind": "credit",
    "account": ACCOUNT,
    "entry": "E1",
    "amount": "100.00",
    "currency": "CNY",
    "booked_at": "2026-11-20T11:59:00+00:00",
    "text": f"Rechnung {REFERENCE}",
    "debtor": "Li Lei",
    "debtor_account": "XX37SAND0000001X000009",
}
BOMB = b"""<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<Document><x>&b;</x></Document>"""
OUTSIDE = b'<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><Document>&a;</Document>'


@pytest.fixture(scope="module")
def bank(sandbox: Sandbox, receiver: Receiver) -> BankDriver:
    return BankDriver(sandbox, receiver)


def read(fields: Any, *, secret: str = "new", at: datetime = NOW, said: str = "") -> Notice:
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    signature = said or header(secret, int(at.timestamp()), body)
    return from_settings(SETTINGS).read_notice({"bank-signature": signature}, body)


class TestReferences:
    def test_it_is_short_without_letters_that_look_alike_and_always_the_same(self) -> None:
        reference = encode("att", new_key())
        made = transfer_reference(reference)
        assert made == transfer_reference(reference)
        assert len(made) == 16 and set(made) <= set(string.digits + string.ascii_uppercase) - set("ILOU")

    @pytest.mark.parametrize(
        "spoil",
        [
            str.lower,
            lambda text: " ".join(text[at : at + 4] for at in range(0, 16, 4)),
            "-".join,
            lambda text: text.replace("0", "O").replace("1", "l"),
            lambda text: f"Invoice 4711, thanks!{text}.For tea",
            lambda text: f"{text}\n{text}",
        ],
    )
    def test_it_is_found_however_it_was_typed(self, spoil: Callable[[str], str]) -> None:
        for _ in range(50):
            made = transfer_reference(encode("att", new_key()))
            assert references_in([spoil(made)]) == {made}

    def test_one_wrong_character_or_two_exchanged_name_nobody(self) -> None:
        made = transfer_reference(encode("att", new_key()))
        for place in range(2, 16):
            for other in "0123456789ABCDEFGHJKMNPQRSTVWXYZ":
                wrong = made[:place] + other + made[place + 1 :]
                assert wrong == made or made not in references_in([wrong])
                assert wrong == made or wrong not in references_in([wrong])

    def test_words_that_look_like_its_beginning_do_not_hide_it(self) -> None:
        assert quotes([f"SC SC{REFERENCE}SC"], REFERENCE)
        assert not quotes([REFERENCE[:15], REFERENCE[1:]], REFERENCE)

    @pytest.mark.parametrize("text", ["", "tea", "SC", "SC00000000000001", "SC" * 40])
    def test_other_words_name_nothing_of_ours(self, text: str) -> None:
        assert REFERENCE not in references_in([text])


class TestStart:
    def test_it_says_where_to_send_what_and_under_which_words(self, bank: BankDriver) -> None:
        start = bank.start_request(12_345)
        action = bank.channel.start(start).next_action
        assert action is not None and (action.kind, action.expires_at) == (
            ActionKind.TRANSFER,
            start.expires_at,
        )
        assert json.loads(action.value) == {
            "account_name": "Smart Checkout Ltd",
            "account": bank.account["account"],
            "bank": "Sandbox Bank",
            "bic": "SANDXXXX",
            "amount": "123.45",
            "currency": "CNY",
            "reference": transfer_reference(start.reference),
            "valid_until": start.expires_at.isoformat(),
        }

    def test_what_the_account_can_not_take_is_refused(self, bank: BankDriver) -> None:
        start = bank.start_request()
        for wrong in (
            replace(start, amount=Money(100, "USD")),
            replace(start, capture=False),
            replace(start, expires_at=datetime.now(UTC)),
        ):
            assert bank.channel.start(wrong).outcome is Outcome.ERRORED

    @pytest.mark.parametrize("name", ["account", "token", "request_secret", "notice_secrets"])
    def test_a_missing_setting_is_named(self, name: str) -> None:
        with pytest.raises(ValueError, match=name):
            from_settings({**SETTINGS, name: ""})


class TestWhatCame:
    def asked(self, bank: BankDriver, *sent: str, currency: str = "CNY", text: str = "") -> Answer:
        start = bank.start_request()
        for amount in sent:
            words = text.format(transfer_reference(start.reference)) or transfer_reference(start.reference)
            bank.transfer(words, amount, currency=currency)
        return bank.channel.query(bank.movement(start))

    def test_nothing_is_waited_for_with_the_instructions(self, bank: BankDriver) -> None:
        answer = self.asked(bank)
        assert answer.outcome is Outcome.ACTION_REQUIRED and answer.next_action is not None

    def test_exactly_the_sum_is_success_between_other_words(self, bank: BankDriver) -> None:
        answer = self.asked(bank, "100.00", text="For my bicycle: {} (Li Lei)" + " thanks" * 30)
        assert (answer.outcome, answer.amount) == (Outcome.SUCCEEDED, Money(10_000, "CNY"))
        assert answer.happened_at is not None
        assert "Li Lei" not in str(answer.raw)

    @pytest.mark.parametrize(
        ("sent", "told"), [(["99.99"], 9_999), (["100.01"], 10_001), (["100.00", "100.00"], 20_000)]
    )
    def test_another_sum_is_told_as_it_came(self, bank: BankDriver, sent: list[str], told: int) -> None:
        answer = self.asked(bank, *sent)
        assert (answer.outcome, answer.amount) == (Outcome.SUCCEEDED, Money(told, "CNY"))

    def test_another_currency_is_not_taken_for_ours(self, bank: BankDriver) -> None:
        assert self.asked(bank, "100.00", currency="USD").amount == Money(10_000, "USD")

    def test_anothers_transfer_is_not_ours(self, bank: BankDriver) -> None:
        bank.transfer(transfer_reference(encode("att", new_key())), "100.00")
        bank.transfer("no words of ours", "100.00")
        assert self.asked(bank).outcome is Outcome.ACTION_REQUIRED

    def test_it_is_found_behind_many_others(self, bank: BankDriver) -> None:
        first = bank.start_request()
        bank.transfer(transfer_reference(first.reference), "100.00")
        for _ in range(51):
            bank.transfer("somebody else", "1.00")
        last = bank.start_request()
        bank.transfer(transfer_reference(last.reference), "100.00")
        for start in (first, last):
            assert bank.channel.query(bank.movement(start)).outcome is Outcome.SUCCEEDED

    def test_a_payment_that_came_is_not_closed(self, bank: BankDriver) -> None:
        start = bank.start_request()
        assert bank.channel.void(bank.movement(start)).outcome is Outcome.PENDING
        bank.transfer(transfer_reference(start.reference), "100.00")
        bank.time_is_over_only_for_us(start)
        assert bank.channel.void(bank.movement(start)).outcome is Outcome.SUCCEEDED


def refund_of(bank: BankDriver, start: StartRequest, minor: int = 2_500) -> MovementRequest:
    return replace(
        bank.movement(start),
        key=f"{start.reference}:refund",
        amount=Money(minor, "CNY"),
        movement_reference=start.reference.replace("att_", "ref_"),
    )


class TestMoneyBack:
    def test_what_the_other_bank_returns_is_ours_again_and_told(self, bank: BankDriver) -> None:
        start, _ = bank.paid()
        movement = refund_of(bank, start)
        assert bank.channel.refund(movement).outcome is Outcome.PENDING
        eventually(lambda: bank.channel.query_refund(movement).outcome is Outcome.SUCCEEDED)
        path = f"/control/bank/{bank.account['account']}/orders/{movement.movement_reference}/reject"
        bank.sandbox.ask("POST", path, {"reason": "AC04"})
        after = bank.channel.query_refund(movement)
        assert (after.outcome, after.code) == (Outcome.DECLINED, "AC04")
        assert bank.sandbox.payments(start.reference)[0]["refunded"] == 0

        def told() -> list[Notice]:
            read = [
                bank.channel.read_notice(one.headers, one.body) for one in bank.receiver.at(bank.notify_path)
            ]
            return [one for one in read if one.movement_reference == movement.movement_reference]

        outcomes = eventually(lambda: told() if len(told()) == 2 else [])
        assert {one.answer.outcome for one in outcomes} == {Outcome.SUCCEEDED, Outcome.DECLINED}
        # The line that came back is no payment of the customer's.
        assert bank.channel.query(bank.movement(start)).amount == start.amount

    def test_it_goes_to_the_account_that_it_came_from_or_nowhere(self, bank: BankDriver) -> None:
        start = bank.start_request()
        for account in ("XX37SAND0000001X000001", "XX37SAND0000001X000002"):
            bank.transfer(transfer_reference(start.reference), "50.00", debtor_account=account)
        answer = bank.channel.refund(refund_of(bank, start))
        assert (answer.outcome, answer.code) == (Outcome.ERRORED, "payer_unclear")

    def test_what_never_came_does_not_go_back(self, bank: BankDriver) -> None:
        answer = bank.channel.refund(refund_of(bank, bank.start_request()))
        assert (answer.outcome, answer.code) == (Outcome.ERRORED, "nothing_came")


class TestStatements:
    def test_a_day_is_read_again_as_it_was_written(self, receiver: Receiver, tmp_path: Path) -> None:
        # Time goes on for nobody else.
        with running_sandbox(tmp_path) as sandbox:
            bank = BankDriver(sandbox, receiver)
            bank.transfer("tea", "1.00")
            today = datetime.now(UTC).date()
            sandbox.advance(86_400)
            statement = bank.statements.fetch_statement("camt.053", today)
            empty = bank.statements.fetch_statement("camt.053", today - timedelta(days=9))
        report = read_report(statement.content)
        assert report.account == bank.account["account"]
        assert Money(100, "CNY") in [entry.money for entry in report.entries]
        assert empty.content == b""


class TestXml:
    @pytest.mark.parametrize(
        "content",
        [
            *(BOMB, OUTSIDE, b"", b"<a>", b"<a></b>", b"\xff\xfe", b"<a/><b/>", b"<!DOCTYPE a><a/>"),
            b"<a>" * 5_000 + b"</a>" * 5_000,
            b'<?xml version="1.0" encoding="no-such"?><a/>',
        ],
        ids=lambda content: repr(content[:20]),
    )
    def test_what_attacks_or_is_broken_is_refused(self, content: bytes) -> None:
        with pytest.raises(ValueError):  # noqa: PT011
            parse(content)

    @pytest.mark.parametrize(
        "entry",
        [
            "<Ntry/>",
            "<Ntry><Amt Ccy='CNY'>x</Amt><CdtDbtInd>CRDT</CdtDbtInd><AcctSvcrRef>1</AcctSvcrRef></Ntry>",
            "<Ntry><Amt Ccy='CNY'>1.001</Amt><CdtDbtInd>CRDT</CdtDbtInd><AcctSvcrRef>1</AcctSvcrRef></Ntry>",
            "<Ntry><Amt Ccy='ZZZ'>1</Amt><CdtDbtInd>CRDT</CdtDbtInd><AcctSvcrRef>1</AcctSvcrRef></Ntry>",
            "<Ntry><Amt Ccy='CNY'>1</Amt><CdtDbtInd>X</CdtDbtInd><AcctSvcrRef>1</AcctSvcrRef></Ntry>",
        ],
    )
    def test_a_line_that_can_not_be_read_spoils_the_report(self, entry: str) -> None:
        with pytest.raises(ValueError):  # noqa: PT011
            read_report(f"<Document><A><Rpt>{entry}</Rpt></A></Document>".encode())

    def test_a_reference_that_was_cut_in_two_is_found(self) -> None:
        entry = (
            "<Ntry><Amt Ccy='CNY'>1</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>PDNG</Sts><AcctSvcrRef>1</AcctSvcrRef>"
            f"<NtryDtls><TxDtls><RmtInf><Ustrd>tea {REFERENCE[:9]}</Ustrd><Ustrd>{REFERENCE[9:]}</Ustrd></RmtInf>"
            "</TxDtls></NtryDtls></Ntry>"
        )
        (found,) = read_report(f"<Document><A><Rpt>{entry}</Rpt></A></Document>".encode()).entries
        assert quotes(found.texts, REFERENCE) and not found.booked


class TestNotices:
    def test_a_credit_names_its_payment_and_its_line(self) -> None:
        notice = read(CREDIT)
        assert (notice.kind, notice.event_id, notice.reference) == (NoticeKind.PAYMENT, "ntc_1", "")
        assert notice.answer.channel_reference == REFERENCE
        assert (notice.answer.amount, notice.answer.movement) == (Money(10_000, "CNY"), "E1")
        assert "Li Lei" not in str(notice.raw)

    def test_both_secrets_are_believed_while_one_replaces_the_other(self) -> None:
        assert read(CREDIT, secret="old") == read(CREDIT, secret="new")
        with pytest.raises(InvalidSignature):
            read(CREDIT, secret="oldest")

    @pytest.mark.parametrize("seconds", [-301, 301, 86_400])
    def test_an_old_one_or_one_from_the_future_is_stale(self, seconds: int) -> None:
        with pytest.raises(StaleNotice):
            read(CREDIT, at=NOW + timedelta(seconds=seconds))
        assert read(CREDIT, at=NOW + timedelta(seconds=299)).kind is NoticeKind.PAYMENT

    @pytest.mark.parametrize("said", ["x", "t=1,v1=", "t=,v1=" + "0" * 64, "t=" + "9" * 4_000, "é"])
    def test_a_signature_that_is_none_is_refused(self, said: str) -> None:
        with pytest.raises(InvalidSignature):
            read(CREDIT, said=said)

    @pytest.mark.parametrize(
        "changed",
        [
            *({"amount": value} for value in (100, "x", "0", "-1", "NaN", "1.001", None)),
            {"currency": "ZZZ"},
            {"notice": ""},
            {"notice": 1},
        ],
    )
    def test_signed_nonsense_is_malformed(self, changed: dict[str, Any]) -> None:
        with pytest.raises(MalformedNotice):
            read({**CREDIT, **changed})

    @pytest.mark.parametrize("body", [b"[]", b"{", b"[" * 30_000, b"x" * 70_000])
    def test_what_is_no_object_is_malformed(self, body: bytes) -> None:
        with pytest.raises(MalformedNotice):
            read(body)

    def test_anothers_account_is_not_for_us(self) -> None:
        with pytest.raises(NotForUs):
            read({**CREDIT, "account": "XX99"})

    @pytest.mark.parametrize("text", ["", "tea", f"{REFERENCE} {transfer_reference('att_2')}"])
    def test_money_that_names_no_payment_or_two_is_for_a_person(self, text: str) -> None:
        assert read({**CREDIT, "text": text}).kind is NoticeKind.OTHER
