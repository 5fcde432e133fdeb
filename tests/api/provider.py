"""A provider that answers at once and in this process: what is tested here is the API, not a wire protocol."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from payments.channels.contract import (
    Acknowledgement,
    ActionKind,
    Advice,
    Answer,
    Capability,
    Instrument,
    InstrumentUnknown,
    MovementRequest,
    NextAction,
    NotForUs,
    Notice,
    NoticeRefused,
    Outcome,
    StartRequest,
)
from tests.patience import PATIENCE

CARD = "pm_good"
DECLINED = "pm_declined"

# Every call that could have moved money: (what, key)
calls: list[tuple[str, str]] = []
# Cleared: calls wait until it is set.
may_answer = threading.Event()
may_answer.set()


def build(configuration: Mapping[str, Any]) -> "Provider":
    return Provider()


class Provider:
    code = "stripe"
    capabilities = frozenset(Capability)

    def describe_instrument(self, token: str) -> Instrument:
        if token not in (CARD, DECLINED):
            raise InstrumentUnknown(token)
        return Instrument(token=token, brand="visa", last4="0002", country="CN", fingerprint=token)

    def open_customer(self, *, key: str, reference: str) -> str:
        return f"theirs-{reference}"

    def forget_instrument(self, token: str) -> None:
        calls.append(("forget", token))

    def start(self, request: StartRequest) -> Answer:
        self._heard("start", request.key)
        known = f"theirs-{request.reference}"
        if request.instrument == DECLINED:
            return Answer(
                Outcome.DECLINED, known, code="card_declined", message="Declined.", advice=Advice.OTHER_CARD
            )
        if request.instrument:
            outcome = Outcome.SUCCEEDED if request.capture else Outcome.AUTHORIZED
            return Answer(outcome, known, request.amount, happened_at=datetime.now(UTC))
        action = NextAction(ActionKind.QR, f"https://qr.example/{request.reference}", request.expires_at)
        return Answer(Outcome.ACTION_REQUIRED, known, next_action=action)

    def query(self, request: MovementRequest) -> Answer:
        return Answer(Outcome.UNKNOWN)

    def capture(self, request: MovementRequest) -> Answer:
        self._heard("capture", request.key)
        return Answer(Outcome.SUCCEEDED, request.channel_reference, request.amount)

    def void(self, request: MovementRequest) -> Answer:
        self._heard("void", request.key)
        return Answer(Outcome.CANCELLED, request.channel_reference)

    def refund(self, request: MovementRequest) -> Answer:
        self._heard("refund", request.key)
        return Answer(Outcome.SUCCEEDED, f"theirs-{request.movement_reference}", request.amount)

    def query_refund(self, request: MovementRequest) -> Answer:
        return Answer(Outcome.UNKNOWN)

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        # Another test's provider may still be knocking at the live server of this process.
        raise NotForUs("nobody here sends notifications")

    def acknowledge(self) -> Acknowledgement:
        return Acknowledgement(200)

    def refuse(self, refusal: NoticeRefused) -> Acknowledgement:
        return Acknowledgement(400)

    def _heard(self, what: str, key: str) -> None:
        calls.append((what, key))
        assert may_answer.wait(PATIENCE), "the test forgot to let the provider answer"
