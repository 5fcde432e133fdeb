"""Digital RMB (e-CNY): a QR code for desktops, the wallet's page for phones, refunds and bills. Fen, CNY only.

Contract dependent. There is no public e-CNY interface for merchants: a shop reaches the wallets through its operating
bank or payment service provider, and the names of the fields stand in the contract with it. What is spoken here
is one generic profile of such a gateway, described in docs/channels/ecny.md; no gateway was asked but the sandbox.

A payment is final at once: nothing is held, and there are no chargebacks.
"""

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from payments.channels import rsa
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
from payments.channels.ecny import codes, notices
from payments.channels.ecny.client import Gateway, GatewayAnswer, money_of
from payments.channels.ecny.signing import Verifier
from payments.channels.transport import Unanswered

_CURRENCY: Final = "CNY"
_BILL: Final = "trade"
_CLOCK_MARGIN: Final = timedelta(seconds=60)


def from_settings(settings: Mapping[str, Any]) -> Channel:
    """The channel that `settings` (the ECNY group, `timeout_seconds`, `clock`) describes.

    Raises `ValueError` for a missing setting, a key that is not RSA, or plain http to another machine.
    """
    for name in ("gateway", "mch_id", "merchant_private_key_file", "gateway_keys"):
        if not settings.get(name):
            raise ValueError(f"ECNY[{name!r}] is empty: set it, or take ecny out of the payment methods")
    clock: Callable[[], datetime] = settings.get("clock") or (lambda: datetime.now(UTC))
    pairs = [entry.partition("=") for entry in settings["gateway_keys"]]
    verifier = Verifier({name: rsa.read_public_key(path) for name, _, path in pairs}, clock)
    gateway = Gateway(
        address=settings["gateway"],
        mch_id=settings["mch_id"],
        key=rsa.read_private_key(settings["merchant_private_key_file"]),
        verifier=verifier,
        timeout_seconds=settings["timeout_seconds"],
        clock=clock,
    )
    return EcnyChannel(gateway=gateway, reader=notices.Reader(settings["mch_id"], verifier), clock=clock)


class EcnyChannel:
    code = "ecny"
    capabilities = frozenset(
        {
            Capability.CLOSE,
            Capability.REFUND,
            Capability.PARTIAL_REFUND,
            Capability.QR,
            Capability.REDIRECT,
            Capability.STATEMENT,
        }
    )
    statement_kinds: tuple[str, ...] = (_BILL,)

    def __init__(self, *, gateway: Gateway, reader: notices.Reader, clock: Callable[[], datetime]) -> None:
        self._gateway = gateway
        self._reader = reader
        self._clock = clock

    def describe_instrument(self, token: str) -> Instrument:
        raise InstrumentUnknown("e-CNY has no card tokens")

    def start(self, request: StartRequest) -> Answer:
        if refusal := self._refusal(request):
            return refusal
        on_phone = request.device == "phone"
        content = {
            "out_trade_no": request.reference,
            "amount": request.amount.minor,
            "currency": _CURRENCY,
            "subject": request.description[:128],
            "scene": "h5" if on_phone else "qr",
            "expires_at": int(request.expires_at.timestamp()),
            "notify_url": request.notify_url,
            "return_url": request.return_url,
        }
        try:
            answer = self._gateway.call("/v1/orders", content)
        except Unanswered as unanswered:
            return _unknown(unanswered)
        if not answer.ok:
            return _refused(answer)
        address = answer.text("pay_url" if on_phone else "code_url")
        if not address or not _is_about(answer, request.reference):
            return _other_order()
        kind = ActionKind.REDIRECT if on_phone else ActionKind.QR
        return Answer(
            Outcome.ACTION_REQUIRED,
            next_action=NextAction(kind, address, request.expires_at),
            raw=notices.without_payer(answer.fields),
        )

    def query(self, request: MovementRequest) -> Answer:
        try:
            answer = self._gateway.call("/v1/orders/query", {"out_trade_no": request.reference})
        except Unanswered as unanswered:
            return _unknown(unanswered)
        return _order(answer, request) if answer.ok else _refused(answer)

    def capture(self, request: MovementRequest) -> Answer:
        return Answer(Outcome.ERRORED, code="not_supported", message="e-CNY takes the money at once")

    def void(self, request: MovementRequest) -> Answer:
        try:
            answer = self._gateway.call("/v1/orders/close", {"out_trade_no": request.reference})
        except Unanswered as unanswered:
            return _unknown(unanswered)
        if answer.ok and _is_about(answer, request.reference):
            return Answer(Outcome.CANCELLED, raw=notices.without_payer(answer.fields))
        if answer.code == codes.ORDER_NOT_OPEN:
            # Paid, or closed before: what it is now decides.
            now = self.query(request)
            return replace(now, outcome=Outcome.PENDING) if now.outcome is Outcome.ACTION_REQUIRED else now
        if answer.code == codes.ORDER_NOT_FOUND:
            # What was asked for may be on its way still: nobody can pay it once its time is over.
            over = self._is_over(request)
            return replace(_refused(answer), outcome=Outcome.CANCELLED if over else Outcome.PENDING)
        return _refused(answer)

    def refund(self, request: MovementRequest) -> Answer:
        if request.amount is None or request.amount.currency != _CURRENCY:
            return Answer(Outcome.ERRORED, code="currency_not_supported", message="e-CNY refunds CNY")
        return self._refund(
            request,
            "/v1/refunds",
            {
                "refund_amount": request.amount.minor,
                "currency": _CURRENCY,
                "reason": request.reason[:128],
                "notify_url": request.notify_url,
            },
        )

    def query_refund(self, request: MovementRequest) -> Answer:
        return self._refund(request, "/v1/refunds/query", {})

    def fetch_statement(self, kind: str, day: date) -> Statement:
        if kind != _BILL:
            raise StatementUnavailable(f"e-CNY has no statement called {kind[:40]!r}")
        try:
            answer = self._gateway.call("/v1/bills", {"bill_date": day.isoformat()})
        except Unanswered as unanswered:
            raise ChannelUnavailable(str(unanswered)) from unanswered
        if answer.code == codes.BILL_NOT_READY:
            raise StatementNotReady("the gateway has not written this day's bill yet")
        if answer.code == codes.NO_BILL:
            return Statement(channel=self.code, kind=kind, day=day, name="", content=b"")
        if not answer.ok or answer.text("bill_date") != day.isoformat():
            raise ChannelUnavailable(f"the gateway answered {answer.code} {answer.message}")
        try:
            content = b64decode(answer.text("content"), validate=True)
        except NotBase64 as problem:
            raise ChannelUnavailable("the bill can not be read") from problem
        if sha256(content).hexdigest() != answer.text("sha256"):
            raise ChannelUnavailable("the bill is damaged")
        return Statement(channel=self.code, kind=kind, day=day, name=answer.text("name"), content=content)

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        return self._reader.read(body)

    def acknowledge(self) -> Acknowledgement:
        return Acknowledgement(200, "success")

    def refuse(self, refusal: NoticeRefused) -> Acknowledgement:
        return Acknowledgement(refusal.status, "fail")

    def _refusal(self, request: StartRequest) -> Answer | None:
        """Why the gateway need not be asked at all."""
        if request.amount.currency != _CURRENCY:
            code, message = "currency_not_supported", "e-CNY is CNY"
        elif request.amount.minor <= 0:
            code, message = "amount_out_of_range", "e-CNY takes 0.01 CNY and more"
        elif not request.capture:
            code, message = "manual_capture_not_supported", "e-CNY takes the money at once"
        elif request.expires_at <= self._clock():
            code, message = "expired", "the time to pay has passed"
        else:
            return None
        return Answer(Outcome.ERRORED, code=code, message=message, advice=Advice.OTHER_METHOD)

    def _refund(self, request: MovementRequest, page: str, content: Mapping[str, Any]) -> Answer:
        named = {"out_trade_no": request.reference, "out_refund_no": request.movement_reference}
        try:
            answer = self._gateway.call(page, {**named, **content})
        except Unanswered as unanswered:
            return _unknown(unanswered)
        if not answer.ok:
            return _refused(answer)
        if answer.text("out_refund_no") != request.movement_reference:
            return _other_order()
        return _refunded(answer)

    def _is_over(self, request: MovementRequest) -> bool:
        deadline = request.start.expires_at if request.start else None
        return deadline is not None and self._clock() > deadline + _CLOCK_MARGIN


def _is_about(answer: GatewayAnswer, reference: str) -> bool:
    return answer.text("out_trade_no") == reference


def _order(answer: GatewayAnswer, request: MovementRequest) -> Answer:
    if not _is_about(answer, request.reference):
        return _other_order()
    outcome = codes.ORDER_STATUS.get(answer.text("status"), Outcome.UNKNOWN)
    return _told(answer, outcome, "amount", "trade_no", "paid_at")


def _refunded(answer: GatewayAnswer) -> Answer:
    outcome = codes.REFUND_STATUS.get(answer.text("status"), Outcome.UNKNOWN)
    return _told(answer, outcome, "refund_amount", "refund_no", "refunded_at")


def _told(answer: GatewayAnswer, outcome: Outcome, amount: str, number: str, at: str) -> Answer:
    try:
        sum_told = money_of(answer.fields, amount)
    except ValueError as problem:
        return Answer(Outcome.UNKNOWN, code="unreadable", message=str(problem))
    return Answer(
        outcome,
        channel_reference=answer.text(number),
        amount=sum_told if outcome is Outcome.SUCCEEDED else None,
        code="" if outcome is Outcome.SUCCEEDED else answer.text("status"),
        happened_at=notices.read_time(answer.text(at)),
        raw=notices.without_payer(answer.fields),
    )


def _unknown(unanswered: Unanswered) -> Answer:
    return Answer(Outcome.UNKNOWN, code=unanswered.code, message=str(unanswered))


def _other_order() -> Answer:
    return Answer(Outcome.UNKNOWN, code="other_order", message="the gateway answered about something else")


def _refused(answer: GatewayAnswer) -> Answer:
    outcome, advice = codes.REFUSALS.get(answer.code, (Outcome.UNKNOWN, None))
    raw = notices.without_payer(answer.fields)
    return Answer(outcome, code=answer.code, message=answer.message, advice=advice, raw=raw)
