"""Bank transfer: the customer sends the money and quotes a reference; the bank's feed tells when it came.

Contract dependent. Every bank has its own interface; what is spoken here is one generic feed, described in
docs/channels/bank.md, and no bank was asked but the sandbox.

Asking for money asks nobody: the reference follows from our identifier. Nobody can stop a transfer either, so what
is given up may be paid still; then it is booked when it comes.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from ledger.identifiers import MalformedIdentifier
from ledger.money import Money
from payments.channels.bank import codes, notices
from payments.channels.bank.client import Bank, BankAnswer
from payments.channels.bank.references import begun_at, quotes, transfer_reference
from payments.channels.bank.reports import Entry
from payments.channels.contract import (
    Acknowledgement,
    ActionKind,
    Advice,
    Answer,
    Capability,
    Channel,
    ChannelUnavailable,
    Instrument,
    InstrumentUnknown,
    MovementRequest,
    NextAction,
    Notice,
    NoticeRefused,
    Outcome,
    StartRequest,
    Statement,
    StatementNotReady,
    StatementUnavailable,
)
from payments.channels.transport import Unanswered

_STATEMENT: Final = "camt.053"
_NEEDED: Final = ("api_base", "account", "account_name", "bank_name", "token", "request_secret")


def from_settings(settings: Mapping[str, Any]) -> Channel:
    """The channel that `settings` (the BANK group, `timeout_seconds`, `clock`) describes.

    Raises `ValueError` for a missing setting, or plain http to another machine.
    """
    for name in (*_NEEDED, "notice_secrets"):
        if not settings.get(name):
            raise ValueError(f"BANK[{name!r}] is empty: set it, or take bank out of the payment methods")
    clock: Callable[[], datetime] = settings.get("clock") or (lambda: datetime.now(UTC))
    bank = Bank(
        address=settings["api_base"],
        account=settings["account"],
        token=settings["token"],
        secret=settings["request_secret"],
        timeout_seconds=settings["timeout_seconds"],
        clock=clock,
    )
    payee = {
        "account_name": settings["account_name"],
        "account": settings["account"],
        "bank": settings["bank_name"],
        "bic": settings.get("bic", ""),
    }
    return BankChannel(
        bank=bank,
        payee=payee,
        currency=settings.get("currency") or "CNY",
        reader=notices.Reader(settings["account"], settings["notice_secrets"], clock),
        clock=clock,
    )


class BankChannel:
    code = "bank"
    capabilities = frozenset(
        {Capability.TRANSFER, Capability.REFUND, Capability.PARTIAL_REFUND, Capability.STATEMENT}
    )
    statement_kinds: tuple[str, ...] = (_STATEMENT,)

    def __init__(
        self,
        *,
        bank: Bank,
        payee: Mapping[str, str],
        currency: str,
        reader: notices.Reader,
        clock: Callable[[], datetime],
    ) -> None:
        self._bank = bank
        self._payee = dict(payee)
        self._currency = currency
        self._reader = reader
        self._clock = clock

    def describe_instrument(self, token: str) -> Instrument:
        raise InstrumentUnknown("a bank transfer has no card tokens")

    def start(self, request: StartRequest) -> Answer:
        return self._refusal(request) or self._to_be_paid(request)

    def query(self, request: MovementRequest) -> Answer:
        try:
            entries = self._entries_of(request)
        except Unanswered as unanswered:
            return Answer(Outcome.UNKNOWN, code=unanswered.code, message=str(unanswered))
        booked = [entry for entry in entries if entry.booked]
        if booked:
            return _came(booked, transfer_reference(request.reference))
        if entries:
            return Answer(Outcome.PENDING, channel_reference=transfer_reference(request.reference))
        if request.start is None:
            return Answer(Outcome.NOT_FOUND, code="nothing_came")
        return self._over(request) if self._is_over(request) else self._to_be_paid(request.start)

    def capture(self, request: MovementRequest) -> Answer:
        return Answer(Outcome.ERRORED, code="not_supported", message="a transfer is final when it comes")

    def void(self, request: MovementRequest) -> Answer:
        """PENDING while there is time left: nothing came, and nobody can say that nothing will."""
        now = self.query(request)
        if now.outcome not in (Outcome.ACTION_REQUIRED, Outcome.NOT_FOUND):
            return now
        return Answer(Outcome.PENDING, channel_reference=now.channel_reference)

    def refund(self, request: MovementRequest) -> Answer:
        """Send money to the account that it came from. The bank lets no more go back than came."""
        if request.amount is None or request.amount.currency != request.total.currency:
            return Answer(
                Outcome.ERRORED, code="currency_not_supported", message="refunds are in its currency"
            )
        try:
            payers = [entry for entry in self._entries_of(request) if entry.booked and not entry.undoes]
            if refusal := _no_way_back(payers):
                return refusal
            return _ordered(self._bank.order(_refund_order(request, request.amount, payers)), request)
        except Unanswered as unanswered:
            return Answer(Outcome.UNKNOWN, code=unanswered.code, message=str(unanswered))

    def query_refund(self, request: MovementRequest) -> Answer:
        try:
            return _ordered(self._bank.order_status(request.movement_reference), request)
        except Unanswered as unanswered:
            return Answer(Outcome.UNKNOWN, code=unanswered.code, message=str(unanswered))

    def fetch_statement(self, kind: str, day: date) -> Statement:
        if kind != _STATEMENT:
            raise StatementUnavailable(f"the bank has no statement called {kind[:40]!r}")
        try:
            content, refusal = self._bank.statement(day)
        except Unanswered as unanswered:
            raise ChannelUnavailable(str(unanswered)) from unanswered
        if refusal == codes.NOT_READY:
            raise StatementNotReady("the bank has not closed this day yet")
        if refusal and refusal != codes.NO_STATEMENT:
            raise ChannelUnavailable(f"the bank answered {refusal[:80]}")
        name = f"camt.053_{day.isoformat()}.xml" if content else ""
        return Statement(channel=self.code, kind=kind, day=day, name=name, content=content)

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        return self._reader.read(headers, body)

    def acknowledge(self) -> Acknowledgement:
        return Acknowledgement(200, "ok")

    def refuse(self, refusal: NoticeRefused) -> Acknowledgement:
        return Acknowledgement(refusal.status, refusal.code)

    def _refusal(self, request: StartRequest) -> Answer | None:
        if request.amount.currency != self._currency:
            code, message = "currency_not_supported", f"the account is in {self._currency}"
        elif request.amount.minor <= 0:
            code, message = "amount_out_of_range", "nothing to transfer"
        elif not request.capture:
            code, message = "manual_capture_not_supported", "a transfer is final when it comes"
        elif request.expires_at <= self._clock():
            code, message = "expired", "the time to pay has passed"
        else:
            return None
        return Answer(Outcome.ERRORED, code=code, message=message, advice=Advice.OTHER_METHOD)

    def _to_be_paid(self, request: StartRequest) -> Answer:
        reference = transfer_reference(request.reference)
        instructions = {
            **self._payee,
            "amount": str(request.amount.major),
            "currency": request.amount.currency,
            "reference": reference,
            "valid_until": request.expires_at.isoformat(),
        }
        return Answer(
            Outcome.ACTION_REQUIRED,
            channel_reference=reference,
            next_action=NextAction(
                ActionKind.TRANSFER, json.dumps(instructions, ensure_ascii=False), request.expires_at
            ),
        )

    def _over(self, request: MovementRequest) -> Answer:
        reference = transfer_reference(request.reference)
        return Answer(Outcome.CANCELLED, channel_reference=reference, code="expired")

    def _is_over(self, request: MovementRequest) -> bool:
        return request.start is not None and self._clock() > request.start.expires_at

    def _entries_of(self, request: MovementRequest) -> list[Entry]:
        """The lines that quote this payment's reference: money that came, or such money taken back."""
        try:
            since = begun_at(request.reference) - timedelta(days=1)  # whatever the bank's own day is
        except MalformedIdentifier:
            return []
        reference = transfer_reference(request.reference)
        return [
            entry
            for entry in self._bank.entries(since.date())
            if quotes(entry.texts, reference) and (entry.money.minor > 0 or entry.undoes)
        ]


def _came(entries: Sequence[Entry], reference: str) -> Answer:
    """All that came together. Another sum than was asked for is told as it is, and never applied."""
    first = entries[0].money
    others = [entry.money for entry in entries if entry.money.currency != first.currency]
    total = others[0] if others else Money(sum(entry.money.minor for entry in entries), first.currency)
    return Answer(
        Outcome.SUCCEEDED,
        channel_reference=reference,
        amount=total,
        happened_at=entries[-1].booked_at,
        movement="+".join(entry.name for entry in entries),
        raw={"kind": "credit", "entries": [entry.name for entry in entries][:20]},
    )


def _no_way_back(payers: Sequence[Entry]) -> Answer | None:
    if not payers:
        return Answer(Outcome.ERRORED, code="nothing_came", message="no transfer came that could go back")
    if len({payer.debtor_account for payer in payers}) > 1 or not payers[0].debtor_account:
        return Answer(Outcome.ERRORED, code="payer_unclear", message="not from one account that is known")
    return None


def _refund_order(request: MovementRequest, amount: Money, payers: Sequence[Entry]) -> dict[str, Any]:
    return {
        "end_to_end_id": request.movement_reference,
        "amount": str(amount.major),
        "currency": amount.currency,
        "creditor": payers[0].debtor,
        "creditor_account": payers[0].debtor_account,
        "returns": [payer.name for payer in payers],
        "text": f"Refund {transfer_reference(request.reference)}",
    }


def _ordered(answer: BankAnswer, request: MovementRequest) -> Answer:
    if not answer.ok:
        code = answer.text("code")
        outcome = codes.REFUSALS.get(code, Outcome.UNKNOWN)
        return Answer(outcome, code=code[:80], message=answer.text("message")[:300])
    if answer.text("end_to_end_id") != request.movement_reference:
        return Answer(Outcome.UNKNOWN, code="other_order", message="the bank answered about something else")
    try:
        return notices.order_answer(answer.fields)
    except ValueError as problem:
        return Answer(Outcome.UNKNOWN, code="unreadable", message=str(problem))
