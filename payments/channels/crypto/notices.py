"""The processor's notices: JSON, signed with a shared secret over the raw body and the time of the delivery."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from payments.channels.contract import Answer, MalformedNotice, NotForUs, Notice, NoticeKind, Outcome
from payments.channels.crypto.invoices import invoice_answer, kept, refund_answer
from payments.channels.shared_secret import check, json_object

SIGNATURE: Final = "invoice-signature"
_NEWS: Final = (Outcome.SUCCEEDED, Outcome.CANCELLED, Outcome.DECLINED)


class Reader:
    """Verifies and translates notices for one store."""

    def __init__(self, store: str, secrets: Sequence[str], clock: Callable[[], datetime]) -> None:
        self._store = store
        self._secrets = tuple(secrets)
        self._clock = clock

    def read(self, headers: Mapping[str, str], body: bytes) -> Notice:
        check(headers.get(SIGNATURE, ""), body, secrets=self._secrets, clock=self._clock)
        try:
            fields = json_object(body)
            if fields.get("store") != self._store:
                raise NotForUs("meant for another store")
            return _notice(fields)
        except ValueError as problem:
            raise MalformedNotice(str(problem)) from problem


def _notice(fields: Mapping[str, Any]) -> Notice:
    event_id, data = fields.get("id"), fields.get("data")
    if not isinstance(event_id, str) or not event_id or not isinstance(data, dict):
        raise ValueError("a notice without its name or content")
    reference = data.get("reference")
    if not isinstance(reference, str) or not reference:
        raise ValueError("a notice about nothing")
    subject = str(fields.get("type", "")).partition(".")[0]
    raw = kept(data)
    if subject == "invoice" and (answer := invoice_answer(data)).outcome in _NEWS:
        return Notice(event_id, NoticeKind.PAYMENT, reference, answer, raw=raw)
    if subject == "refund" and (answer := refund_answer(data)).outcome in _NEWS:
        movement = str(data.get("refund_reference", ""))
        return Notice(event_id, NoticeKind.REFUND, reference, answer, movement_reference=movement, raw=raw)
    return Notice(event_id, NoticeKind.OTHER, reference, Answer(Outcome.PENDING), raw=raw)
