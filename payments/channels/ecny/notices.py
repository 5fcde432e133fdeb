"""The generic profile's notices: signed JSON with the time of this delivery, posted to the order's `notify_url`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from payments.channels.contract import (
    Answer,
    MalformedNotice,
    NotForUs,
    Notice,
    NoticeKind,
    Outcome,
)
from payments.channels.ecny import codes
from payments.channels.ecny.client import money_of, object_of
from payments.channels.ecny.signing import Verifier

_LONGEST: Final = 64 * 1024
_NOT_KEPT: Final = frozenset({"payer", "sign", "content"})


def without_payer(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What may be kept of the gateway's words: not whose wallet it was, and no signature."""
    return {name: value for name, value in fields.items() if name not in _NOT_KEPT}


def read_time(text: object) -> datetime | None:
    """The moment, with its offset, that the gateway wrote; None when it wrote none that can be read."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


class Reader:
    """Verifies and translates notices for one merchant."""

    def __init__(self, mch_id: str, verifier: Verifier) -> None:
        self._mch_id = mch_id
        self._verifier = verifier

    def read(self, body: bytes) -> Notice:
        if len(body) > _LONGEST:
            raise MalformedNotice("longer than any notice")
        try:
            fields = object_of(body)
        except ValueError as problem:
            raise MalformedNotice("not a JSON object") from problem
        self._verifier.check(fields)
        if fields.get("mch_id") != self._mch_id:
            raise NotForUs("meant for another merchant")
        event_id, reference = str(fields.get("notify_id", "")), str(fields.get("out_trade_no", ""))
        if not event_id or not reference:
            raise MalformedNotice("without notify_id or out_trade_no")
        kind, answer = _translated(fields)
        return Notice(
            event_id=event_id,
            kind=kind,
            reference=reference,
            answer=answer,
            movement_reference=str(fields.get("out_refund_no", "")) if kind is NoticeKind.REFUND else "",
            raw=without_payer(fields),
        )


def _translated(fields: Mapping[str, Any]) -> tuple[NoticeKind, Answer]:
    event = fields.get("event")
    if event == "order":
        outcome = codes.ORDER_STATUS.get(str(fields.get("status")), Outcome.PENDING)
        if outcome in (Outcome.SUCCEEDED, Outcome.CANCELLED):
            return NoticeKind.PAYMENT, _answer(fields, outcome, "amount", "trade_no", "paid_at")
    if event == "refund":
        outcome = codes.REFUND_STATUS.get(str(fields.get("status")), Outcome.PENDING)
        if outcome is not Outcome.PENDING:
            return NoticeKind.REFUND, _answer(fields, outcome, "refund_amount", "refund_no", "refunded_at")
    return NoticeKind.OTHER, Answer(Outcome.PENDING, code=str(fields.get("status", ""))[:64])


def _answer(fields: Mapping[str, Any], outcome: Outcome, amount: str, number: str, at: str) -> Answer:
    try:
        sum_told = money_of(fields, amount)
    except ValueError as problem:
        raise MalformedNotice(str(problem)) from problem
    return Answer(
        outcome,
        channel_reference=str(fields.get(number, "")),
        amount=sum_told if outcome is Outcome.SUCCEEDED else None,
        code="" if outcome is Outcome.SUCCEEDED else str(fields.get("status", "")),
        happened_at=read_time(fields.get(at)),
        raw=without_payer(fields),
    )
