"""Alipay: a QR code or Alipay's own page for desktops, its page for phones, refunds and bills. Yuan, CNY only.

Before the customer has scanned a QR code (or opened the page) Alipay has no trade: a query says NOT_FOUND, and
there is nothing to close. The code can still be scanned, though, and `alipay.trade.cancel` does not help: it
answers "success" for a trade that does not exist, promises nothing about the code, and would refund a payment that
came in between. So every request carries `time_expire`, and `void` says CANCELLED only when Alipay closed the trade
itself, or when the deadline that Alipay was given has passed and there is still no trade. Until then it says
PENDING: ask again after the deadline.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from ledger.money import Money
from payments.channels import rsa
from payments.channels.alipay import bills, codes, notices
from payments.channels.alipay.client import Gateway, GatewayAnswer, read_time, written_time
from payments.channels.alipay.keys import certificate_serial, read_key_ring, root_serial
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
    Notice,
    NoticeRefused,
    Outcome,
    StartRequest,
    Statement,
)
from payments.channels.transport import Unanswered

_CURRENCY: Final = "CNY"
_LARGEST: Final = Money(100_000_000_00, _CURRENCY)
_CODE_LIVES: Final = timedelta(hours=2)
# How far Alipay's clock and ours may differ before a deadline counts as passed for both.
_CLOCK_MARGIN: Final = timedelta(seconds=60)
_FORBIDDEN_IN_SUBJECT: Final = str.maketrans("/=&", "   ")


def from_settings(settings: Mapping[str, Any]) -> "AlipayChannel":
    """The channel that `settings` (the ALIPAY group, `timeout_seconds`, `clock`) describes.

    Raises `ValueError` for a missing setting, a key that is not RSA, or plain http to another machine.
    """
    for name in ("gateway", "app_id", "seller_id", "app_private_key_file", "alipay_public_key_file"):
        if not settings.get(name):
            raise ValueError(f"ALIPAY[{name!r}] is empty: set it, or take alipay out of the payment methods")
    clock: Callable[[], datetime] = settings.get("clock") or (lambda: datetime.now(UTC))
    also = settings.get("also_accepted_key_files") or ()
    key_ring = read_key_ring((settings["alipay_public_key_file"], *also))
    gateway = Gateway(
        address=settings["gateway"],
        app_id=settings["app_id"],
        app_private_key=rsa.read_private_key(settings["app_private_key_file"]),
        key_ring=key_ring,
        certificates=_certificates(settings),
        timeout_seconds=settings["timeout_seconds"],
        clock=clock,
    )
    reader = notices.Reader(settings["app_id"], settings["seller_id"], key_ring)
    return AlipayChannel(
        gateway=gateway,
        reader=reader,
        clock=clock,
        desktop_page=settings.get("desktop_product") == "page",
        qr_product_code=settings.get("qr_product_code") or "FACE_TO_FACE_PAYMENT",
    )


def _certificates(settings: Mapping[str, Any]) -> dict[str, str]:
    """What certificate mode sends with every call: which certificate is ours, and which roots we trust."""
    ours, roots = settings.get("app_certificate_file"), settings.get("alipay_root_certificate_file")
    if not ours and not roots:
        return {}
    if not ours or not roots:
        raise ValueError("ALIPAY: certificate mode needs both app_certificate_file and the root certificate")
    if not (serial := certificate_serial(ours)):
        raise ValueError(f"{ours} does not hold a certificate")
    return {"app_cert_sn": serial, "alipay_root_cert_sn": root_serial(roots)}


class AlipayChannel:
    code = "alipay"
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
    statement_kinds = bills.KINDS

    def __init__(
        self,
        *,
        gateway: Gateway,
        reader: notices.Reader,
        clock: Callable[[], datetime],
        desktop_page: bool,
        qr_product_code: str,
    ) -> None:
        self._gateway = gateway
        self._reader = reader
        self._clock = clock
        self._desktop_page = desktop_page
        self._qr_product_code = qr_product_code

    def describe_instrument(self, token: str) -> Instrument:
        raise InstrumentUnknown("Alipay has no card tokens")

    def start(self, request: StartRequest) -> Answer:
        if refusal := self._refusal(request):
            return refusal
        if request.device == "phone":
            return self._page(request, "alipay.trade.wap.pay", "QUICK_WAP_WAY")
        if self._desktop_page:
            return self._page(request, "alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY")
        try:
            return self._precreate(request)
        except Unanswered as unanswered:
            return _unknown(unanswered)

    def query(self, request: MovementRequest) -> Answer:
        try:
            answer = self._gateway.call("alipay.trade.query", {"out_trade_no": request.reference})
        except Unanswered as unanswered:
            return _unknown(unanswered)
        if answer.ok:
            return _trade(answer, request.reference)
        if answer.code == codes.TRADE_NOT_EXIST:
            return _refused(answer, Outcome.NOT_FOUND)
        return _refused(answer, Outcome.UNKNOWN)

    def capture(self, request: MovementRequest) -> Answer:
        return Answer(Outcome.ERRORED, code="not_supported", message="Alipay takes the money at once")

    def void(self, request: MovementRequest) -> Answer:
        found = self.query(request)
        if found.outcome is Outcome.ACTION_REQUIRED:
            return self._close(request, found)
        if found.outcome is Outcome.NOT_FOUND:
            return self._close_unscanned(request, found)
        return found

    def refund(self, request: MovementRequest) -> Answer:
        if request.amount is None or request.amount.currency != _CURRENCY:
            return Answer(Outcome.ERRORED, code="currency_not_supported", message="Alipay refunds CNY")
        content = {
            "out_trade_no": request.reference,
            "out_request_no": request.movement_reference,
            "refund_amount": _yuan(request.amount),
            "refund_reason": request.reason[:256] or "refund",
        }
        try:
            answer = self._gateway.call("alipay.trade.refund", content)
        except Unanswered as unanswered:
            return _unknown(unanswered)
        if not answer.ok:
            return _looked_up(answer, codes.REFUND, (Outcome.UNKNOWN, None))
        if not _is_about(answer, request.reference):
            return _other_trade()
        # "10000" alone is no refund: the money moved now only if Alipay says so, else it must be asked.
        if answer.text("fund_change") != "Y":
            return self._confirmed_refund(request)
        return Answer(
            Outcome.SUCCEEDED,
            channel_reference=answer.text("trade_no"),
            amount=request.amount,  # the answer's refund_fee is the sum of all refunds so far
            happened_at=read_time(answer.text("gmt_refund_pay")),
            raw=notices.without_buyer(answer.fields),
        )

    def query_refund(self, request: MovementRequest) -> Answer:
        content = {"out_trade_no": request.reference, "out_request_no": request.movement_reference}
        try:
            answer = self._gateway.call("alipay.trade.fastpay.refund.query", content)
        except Unanswered as unanswered:
            return _unknown(unanswered)
        if answer.code == codes.TRADE_NOT_EXIST:
            return _refused(answer, Outcome.NOT_FOUND)
        if not answer.ok:
            return _refused(answer, Outcome.UNKNOWN)
        if answer.text("refund_status") != "REFUND_SUCCESS":
            # Alipay answers an empty status for a refund that did not happen. Sending it again is safe:
            # the same out_request_no never refunds twice.
            return Answer(Outcome.NOT_FOUND, raw=notices.without_buyer(answer.fields))
        return _refunded(answer, request)

    def fetch_statement(self, kind: str, day: date) -> Statement:
        return bills.fetch(self._gateway, kind, day, self._clock)

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        return self._reader.read(body)

    def acknowledge(self) -> Acknowledgement:
        return Acknowledgement(200, "success")

    def refuse(self, refusal: NoticeRefused) -> Acknowledgement:
        return Acknowledgement(400, "fail")

    def _refusal(self, request: StartRequest) -> Answer | None:
        """Why Alipay need not be asked at all."""
        if request.amount.currency != _CURRENCY:
            code, message = "currency_not_supported", "Alipay takes CNY"
        elif not 0 < request.amount.minor <= _LARGEST.minor:
            code, message = "amount_out_of_range", "Alipay takes 0.01 to 100000000 CNY"
        elif not request.capture:
            code, message = "manual_capture_not_supported", "Alipay takes the money at once"
        elif request.expires_at <= self._clock():
            code, message = "expired", "the time to pay has passed"
        else:
            return None
        return Answer(Outcome.ERRORED, code=code, message=message, advice=Advice.OTHER_METHOD)

    def _page(self, request: StartRequest, method: str, product_code: str) -> Answer:
        address = self._gateway.address(
            method,
            self._order(request, product_code),
            notify_url=request.notify_url,
            return_url=request.return_url,
        )
        action = NextAction(ActionKind.REDIRECT, address, request.expires_at)
        return Answer(Outcome.ACTION_REQUIRED, next_action=action)

    def _precreate(self, request: StartRequest) -> Answer:
        order = self._order(request, self._qr_product_code)
        answer = self._gateway.call("alipay.trade.precreate", order, notify_url=request.notify_url)
        if not answer.ok:
            return _looked_up(answer, codes.START, (Outcome.ERRORED, Advice.OTHER_METHOD))
        code = answer.text("qr_code")
        if not code or not _is_about(answer, request.reference):
            return _other_trade()
        expires_at = min(request.expires_at, self._clock() + _CODE_LIVES)
        action = NextAction(ActionKind.QR, code, expires_at)
        return Answer(Outcome.ACTION_REQUIRED, next_action=action, raw=dict(answer.fields))

    def _order(self, request: StartRequest, product_code: str) -> dict[str, str]:
        return {
            "out_trade_no": request.reference,
            "total_amount": _yuan(request.amount),
            "subject": request.description.translate(_FORBIDDEN_IN_SUBJECT)[:256],
            "product_code": product_code,
            "time_expire": written_time(request.expires_at),
        }

    def _close(self, request: MovementRequest, found: Answer) -> Answer:
        try:
            answer = self._gateway.call("alipay.trade.close", {"out_trade_no": request.reference})
        except Unanswered as unanswered:
            return _unknown(unanswered)
        if not answer.ok:
            # Paid, closed or not closable at this very moment: what it is now decides.
            now = self.query(request)
            return replace(now, outcome=Outcome.PENDING) if now.outcome is Outcome.ACTION_REQUIRED else now
        if not _is_about(answer, request.reference):
            return _other_trade()
        return replace(found, outcome=Outcome.CANCELLED, raw=dict(answer.fields))

    def _close_unscanned(self, request: MovementRequest, found: Answer) -> Answer:
        """No trade yet: over once the deadline that Alipay was given has passed (see the module's words)."""
        deadline = request.start.expires_at if request.start else None
        if deadline is not None and self._clock() > deadline + _CLOCK_MARGIN:
            return replace(found, outcome=Outcome.CANCELLED)
        message = "the code was not scanned yet, and can be until it expires"
        return replace(found, outcome=Outcome.PENDING, message=message)

    def _confirmed_refund(self, request: MovementRequest) -> Answer:
        answer = self.query_refund(request)
        return replace(answer, outcome=Outcome.PENDING) if answer.outcome is Outcome.NOT_FOUND else answer


def _yuan(amount: Money) -> str:
    return f"{amount.major:.2f}"


def _is_about(answer: GatewayAnswer, reference: str) -> bool:
    """A signed answer carries no nonce: one that names another trade is an old one, played again."""
    return answer.text("out_trade_no") == reference


def _trade(answer: GatewayAnswer, reference: str) -> Answer:
    if not _is_about(answer, reference):
        return _other_trade()
    try:
        amount = Money.from_major(answer.text("total_amount"), _CURRENCY)
    except (ValueError, ArithmeticError):
        return Answer(Outcome.UNKNOWN, code="unreadable", message="Alipay named no readable amount")
    outcome = codes.TRADE_STATUS.get(answer.text("trade_status"), Outcome.UNKNOWN)
    paid_at = read_time(answer.text("send_pay_date"))
    if outcome is Outcome.CANCELLED and paid_at is not None:
        outcome = Outcome.SUCCEEDED  # it was paid, and refunded to the last fen later
    return Answer(
        outcome,
        channel_reference=answer.text("trade_no"),
        amount=amount if outcome is Outcome.SUCCEEDED else None,
        code="" if outcome is Outcome.SUCCEEDED else answer.text("trade_status"),
        happened_at=paid_at,
        raw=notices.without_buyer(answer.fields),
    )


def _refunded(answer: GatewayAnswer, request: MovementRequest) -> Answer:
    if (
        not _is_about(answer, request.reference)
        or answer.text("out_request_no") != request.movement_reference
    ):
        return _other_trade()
    try:
        amount = Money.from_major(answer.text("refund_amount"), _CURRENCY)
    except (ValueError, ArithmeticError):
        return Answer(Outcome.UNKNOWN, code="unreadable", message="Alipay named no readable amount")
    return Answer(
        Outcome.SUCCEEDED,
        channel_reference=answer.text("trade_no"),
        amount=amount,
        happened_at=read_time(answer.text("gmt_refund_pay")),
        raw=notices.without_buyer(answer.fields),
    )


def _unknown(unanswered: Unanswered) -> Answer:
    return Answer(Outcome.UNKNOWN, code=unanswered.code, message=str(unanswered))


def _other_trade() -> Answer:
    return Answer(Outcome.UNKNOWN, code="other_trade", message="Alipay answered about something else")


def _refused(answer: GatewayAnswer, outcome: Outcome) -> Answer:
    return Answer(outcome, code=answer.code, message=answer.message, raw=dict(answer.fields))


def _looked_up(answer: GatewayAnswer, table: Mapping[str, codes.Refusal], otherwise: codes.Refusal) -> Answer:
    """The refusal's meaning: by sub_code when the business failed, ERRORED when the gateway refused."""
    meaning: codes.Refusal = (Outcome.UNKNOWN, None)
    if answer.fields.get("code") in codes.GATEWAY_REFUSALS:
        meaning = (Outcome.ERRORED, Advice.OTHER_METHOD)
    elif answer.fields.get("code") == codes.BUSINESS_FAILED:
        meaning = table.get(answer.code, otherwise)
    outcome, advice = meaning
    return replace(_refused(answer, outcome), advice=advice)
