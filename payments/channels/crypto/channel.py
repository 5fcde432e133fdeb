"""Crypto by a processor's hosted invoice: priced in the order's currency, paid in a coin on the processor's page.

Contract dependent, and off unless CRYPTO_ENABLED is set. What is spoken here is one generic profile of such
processors, described in docs/channels/crypto.md; none was asked but the sandbox. The processor carries the exchange
rate and waits for the chain's confirmations. There are no holds and no chargebacks; a refund is a request that
settles later, or is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from payments.channels.contract import (
    Acknowledgement,
    Advice,
    Answer,
    Capability,
    Channel,
    Instrument,
    InstrumentUnknown,
    MovementRequest,
    Notice,
    NoticeRefused,
    Outcome,
    StartRequest,
)
from payments.channels.crypto import codes, notices
from payments.channels.crypto.client import Processor, ProcessorAnswer
from payments.channels.crypto.invoices import invoice_answer, kept, refund_answer
from payments.channels.transport import Unanswered

_NEEDED: Final = ("api_base", "store", "api_key", "webhook_secrets")


def from_settings(settings: Mapping[str, Any]) -> Channel:
    """The channel that `settings` (the CRYPTO group, `timeout_seconds`, `clock`) describes.

    Raises `ValueError` for a missing setting, or plain http to another machine.
    """
    for name in _NEEDED:
        if not settings.get(name):
            raise ValueError(f"CRYPTO[{name!r}] is empty: set it, or switch CRYPTO_ENABLED off")
    clock: Callable[[], datetime] = settings.get("clock") or (lambda: datetime.now(UTC))
    processor = Processor(
        address=settings["api_base"],
        store=settings["store"],
        api_key=settings["api_key"],
        timeout_seconds=settings["timeout_seconds"],
    )
    reader = notices.Reader(settings["store"], settings["webhook_secrets"], clock)
    return CryptoChannel(processor=processor, reader=reader, clock=clock)


class CryptoChannel:
    code = "crypto"
    capabilities = frozenset(
        {Capability.CLOSE, Capability.REFUND, Capability.PARTIAL_REFUND, Capability.REDIRECT}
    )

    def __init__(
        self, *, processor: Processor, reader: notices.Reader, clock: Callable[[], datetime]
    ) -> None:
        self._processor = processor
        self._reader = reader
        self._clock = clock

    def describe_instrument(self, token: str) -> Instrument:
        raise InstrumentUnknown("an invoice has no card tokens")

    def start(self, request: StartRequest) -> Answer:
        if refusal := self._refusal(request):
            return refusal
        content = {
            "reference": request.reference,
            "amount": str(request.amount.major),
            "currency": request.amount.currency,
            "description": request.description[:128],
            "expires_at": request.expires_at.isoformat(),
            "notify_url": request.notify_url,
            "return_url": request.return_url,
        }
        return self._invoice(lambda: self._processor.create(request.key, content), request.reference)

    def query(self, request: MovementRequest) -> Answer:
        return self._invoice(lambda: self._processor.invoice(request.reference), request.reference)

    def capture(self, request: MovementRequest) -> Answer:
        return Answer(Outcome.ERRORED, code="not_supported", message="an invoice is final when it is settled")

    def void(self, request: MovementRequest) -> Answer:
        closed = self._invoice(
            lambda: self._processor.cancel(request.key, request.reference), request.reference
        )
        if closed.code == codes.NOT_OPEN:
            # Paid, over, or seen on the chain: what it is now decides.
            now = self.query(request)
            return replace(now, outcome=Outcome.PENDING) if now.outcome is Outcome.ACTION_REQUIRED else now
        if closed.outcome is Outcome.NOT_FOUND:
            # What was asked for may be on its way still: nobody can pay it once its time is over.
            return replace(closed, outcome=Outcome.CANCELLED if self._is_over(request) else Outcome.PENDING)
        return closed

    def refund(self, request: MovementRequest) -> Answer:
        if request.amount is None or request.amount.currency != request.total.currency:
            return Answer(
                Outcome.ERRORED, code="currency_not_supported", message="refunds are in its currency"
            )
        content = {
            "refund_reference": request.movement_reference,
            "amount": str(request.amount.major),
            "currency": request.amount.currency,
            "reason": request.reason[:128],
            "notify_url": request.notify_url,
        }
        return self._refund(lambda: self._processor.refund(request.key, request.reference, content), request)

    def query_refund(self, request: MovementRequest) -> Answer:
        return self._refund(
            lambda: self._processor.refund_status(request.reference, request.movement_reference), request
        )

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        return self._reader.read(headers, body)

    def acknowledge(self) -> Acknowledgement:
        return Acknowledgement(200, "ok")

    def refuse(self, refusal: NoticeRefused) -> Acknowledgement:
        return Acknowledgement(refusal.status, refusal.code)

    def _refusal(self, request: StartRequest) -> Answer | None:
        if request.amount.minor <= 0:
            code, message = "amount_out_of_range", "nothing to pay"
        elif not request.capture:
            code, message = "manual_capture_not_supported", "an invoice is final when it is settled"
        elif request.expires_at <= self._clock():
            code, message = "expired", "the time to pay has passed"
        else:
            return None
        return Answer(Outcome.ERRORED, code=code, message=message, advice=Advice.OTHER_METHOD)

    def _is_over(self, request: MovementRequest) -> bool:
        return request.start is not None and self._clock() > request.start.expires_at

    def _invoice(self, call: Callable[[], ProcessorAnswer], reference: str) -> Answer:
        return _answered(call, invoice_answer, "reference", reference)

    def _refund(self, call: Callable[[], ProcessorAnswer], request: MovementRequest) -> Answer:
        return _answered(call, refund_answer, "refund_reference", request.movement_reference)


def _answered(
    call: Callable[[], ProcessorAnswer],
    read: Callable[[Mapping[str, Any]], Answer],
    name: str,
    expected: str,
) -> Answer:
    try:
        answer = call()
    except Unanswered as unanswered:
        return Answer(Outcome.UNKNOWN, code=unanswered.code, message=str(unanswered))
    if not answer.ok:
        code = answer.text("code")
        outcome, advice = codes.REFUSALS.get(code, (Outcome.UNKNOWN, None))
        message = answer.text("message")[:300]
        return Answer(outcome, code=code[:80], message=message, advice=advice, raw=kept(answer.fields))
    if answer.text(name) != expected:
        return Answer(Outcome.UNKNOWN, code="other_invoice", message="answered about something else")
    try:
        return read(answer.fields)
    except ValueError as problem:
        return Answer(Outcome.UNKNOWN, code="unreadable", message=str(problem))
