"""A bank inside the process: it says what a test told it to say, of every channel."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from django.db import connection, transaction

from ledger.money import Money
from payments.channels.contract import (
    Acknowledgement,
    ActionKind,
    Answer,
    Capability,
    Instrument,
    MovementRequest,
    NextAction,
    NotForUs,
    Notice,
    NoticeRefused,
    Outcome,
    StartRequest,
)
from payments.models import Attempt
from payments.selectors import PaymentView
from payments.services.apply_answer import apply_answer


class Bank:
    """`starts`, `captures`, `voids` and `refund_answers` are the answers from now on; `refunds` is what is said when
    somebody asks about a refund, once, and `released` what was taken of a hold whose rest is let go."""

    code = "stripe"
    capabilities = frozenset(Capability)

    def __init__(self) -> None:
        self.starts = Outcome.SUCCEEDED
        self.captures = Outcome.SUCCEEDED
        self.voids = Outcome.CANCELLED
        self.refund_answers = Outcome.SUCCEEDED
        self.refunds = Outcome.SUCCEEDED
        self.released: Money | None = None
        self.captured: list[MovementRequest] = []
        self.refunded: list[str] = []
        self.started: list[StartRequest] = []

    def describe_instrument(self, token: str) -> Instrument:
        return Instrument(token=token, brand="visa", last4="0002", country="CN", fingerprint=token)

    def open_customer(self, *, key: str, reference: str) -> str:
        return f"theirs_{reference}"

    def forget_instrument(self, token: str) -> None:
        assert not connection.in_atomic_block

    def start(self, request: StartRequest) -> Answer:
        assert not connection.in_atomic_block
        self.started.append(request)
        holds = self.starts == Outcome.SUCCEEDED and not request.capture
        return self._say(Outcome.AUTHORIZED if holds else self.starts, request.reference, request)

    def query(self, request: MovementRequest) -> Answer:
        return Answer(Outcome.UNKNOWN)

    def capture(self, request: MovementRequest) -> Answer:
        assert not connection.in_atomic_block
        assert request.amount is not None
        self.captured.append(request)
        if self.captures != Outcome.SUCCEEDED:
            return Answer(self.captures, code="no")
        total = Money(request.captured_before, request.amount.currency) + request.amount
        return Answer(
            Outcome.SUCCEEDED,
            channel_reference=request.channel_reference,
            amount=request.amount,
            captured=total,
        )

    def void(self, request: MovementRequest) -> Answer:
        assert not connection.in_atomic_block
        outcome = Outcome.SUCCEEDED if self.released else self.voids
        return Answer(
            outcome,
            channel_reference=request.channel_reference,
            amount=request.total,
            captured=self.released,
        )

    def refund(self, request: MovementRequest) -> Answer:
        assert not connection.in_atomic_block
        self.refunded.append(request.movement_reference)
        return Answer(self.refund_answers, amount=request.amount)

    def query_refund(self, request: MovementRequest) -> Answer:
        said, self.refunds = self.refunds, Outcome.SUCCEEDED
        return Answer(said, amount=request.amount)

    def tell(
        self, payment: PaymentView, outcome: Outcome = Outcome.SUCCEEDED, captured: Money | None = None
    ) -> None:
        """A notification about the payment's latest try arrives and is applied."""
        attempt = Attempt.objects.filter(payment__reference=payment.reference).latest_start()
        assert attempt is not None
        with transaction.atomic(durable=True):
            said = replace(self._say(outcome, attempt.public_id, attempt), captured=captured)
            apply_answer(attempt=attempt, answer=said, source="notice")

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """What still arrives at the live server is another test's."""
        raise NotForUs("late")

    def refuse(self, refusal: NoticeRefused) -> Acknowledgement:
        return Acknowledgement(refusal.status)

    def _say(self, outcome: Outcome, reference: str, about: StartRequest | Attempt) -> Answer:
        amount = about.money if isinstance(about, Attempt) else about.amount
        waits = outcome == Outcome.ACTION_REQUIRED and isinstance(about, StartRequest)
        return Answer(
            outcome,
            channel_reference="" if outcome == Outcome.UNKNOWN else f"bank_{reference}",
            amount=amount if outcome in (Outcome.SUCCEEDED, Outcome.AUTHORIZED) else None,
            next_action=NextAction(ActionKind.QR, "https://qr.example/1", about.expires_at)  # type: ignore[union-attr]
            if waits
            else None,
            code="card_declined" if outcome == Outcome.DECLINED else "",
        )


_open: list[Bank] = []


def from_settings(_: Mapping[str, Any]) -> Bank:
    return _open[-1]


@contextmanager
def opened() -> Iterator[Bank]:
    _open.append(Bank())
    try:
        yield _open[-1]
    finally:
        _open.pop()
