"""UnionPay (ACP 5.1.0): UnionPay's own page for debit and credit cards, holds, refunds and settlement files. CNY only.

`start` asks nobody: it signs a form that the customer's browser posts to UnionPay, so UnionPay may never hear of the
order. Nor can an order that was not paid be closed: it ends by itself at `payTimeout`, which every form carries.
So `void` says CANCELLED for an unpaid order only once UnionPay says that its time ran out, or once the deadline has
passed and UnionPay still knows no such order. Until then it says PENDING: ask again after the deadline.

What is asked for is answered "accepted"; whether it was done is always asked in a second call. A full refund on
UnionPay's own day of the payment undoes it (txnType 31, 33), later or in part it is a refund (04).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from ledger.money import Money
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
from payments.channels.transport import Unanswered
from payments.channels.unionpay import answers, codes, naming, notices, statement
from payments.channels.unionpay.certificates import Trust, read_certificates
from payments.channels.unionpay.client import Gateway, GatewayAnswer, Merchant

_CURRENCY: Final = "CNY"
_LARGEST: Final = 999_999_999_999  # txnAmt has twelve digits
_HOLD_LASTS: Final = timedelta(days=30)
# How far UnionPay's clock and ours may differ before a deadline counts as passed for both.
_CLOCK_MARGIN: Final = timedelta(seconds=60)
# Files are ready in the course of the next day; one that is missing after this will not come.
_FILE_WAITS: Final = timedelta(days=3)
_NEEDED: Final = (
    *("gateway", "file_gateway", "mer_id", "sign_key_file", "sign_cert_file"),
    *("root_cert_file", "middle_cert_file", "common_name"),
)


def from_settings(settings: Mapping[str, Any]) -> Channel:
    """The channel that `settings` (the UNIONPAY group, `timeout_seconds`, `clock`) describes.

    Raises `ValueError` for a missing setting, a key that is not RSA or not the certificate's, or plain http to
    another machine.
    """
    for name in _NEEDED:
        if not settings.get(name):
            raise ValueError(
                f"UNIONPAY[{name!r}] is empty: set it, or take unionpay out of the payment methods"
            )
    clock: Callable[[], datetime] = settings.get("clock") or (lambda: datetime.now(UTC))
    trust = Trust(
        roots=read_certificates(settings["root_cert_file"]),
        intermediates=read_certificates(settings["middle_cert_file"]),
        identity=settings["common_name"],
        clock=clock,
    )
    merchant = _merchant(settings)
    gateway = Gateway(
        address=settings["gateway"],
        file_address=settings["file_gateway"],
        merchant=merchant,
        trust=trust,
        timeout_seconds=settings["timeout_seconds"],
        clock=clock,
    )
    return UnionPayChannel(
        gateway=gateway,
        reader=notices.Reader(merchant.mer_id, trust),
        clock=clock,
        statement_widths=tuple(int(width) for width in settings.get("statement_widths") or statement.WIDTHS),
    )


def _merchant(settings: Mapping[str, Any]) -> Merchant:
    key, certificate = (
        rsa.read_private_key(settings["sign_key_file"]),
        read_certificates(settings["sign_cert_file"])[0],
    )
    if certificate.public_key() != key.public_key():
        raise ValueError("UNIONPAY['sign_cert_file'] is not the certificate of UNIONPAY['sign_key_file']")
    return Merchant(settings["mer_id"], str(certificate.serial_number), key)


class UnionPayChannel:
    code = "unionpay"
    capabilities = frozenset(
        {
            Capability.MANUAL_CAPTURE,
            Capability.PARTIAL_CAPTURE,
            Capability.VOID,
            Capability.REFUND,
            Capability.PARTIAL_REFUND,
            Capability.REDIRECT,
            Capability.STATEMENT,
        }
    )
    statement_kinds: tuple[str, ...] = (statement.KIND,)

    def __init__(
        self,
        *,
        gateway: Gateway,
        reader: notices.Reader,
        clock: Callable[[], datetime],
        statement_widths: Sequence[int],
    ) -> None:
        self._gateway = gateway
        self._reader = reader
        self._clock = clock
        self._statement_widths = statement_widths

    def describe_instrument(self, token: str) -> Instrument:
        raise InstrumentUnknown("UnionPay's cards are entered on UnionPay's page")

    def start(self, request: StartRequest) -> Answer:
        if refusal := self._refusal(request):
            return refusal
        address, fields = self._gateway.form(
            {
                "txnType": codes.PURCHASE if request.capture else codes.HOLD,
                "txnSubType": "01",
                "bizType": "000201",
                "channelType": "08" if request.device == "phone" else "07",
                "orderId": naming.order_id(request.reference),
                "txnTime": naming.txn_time(request.reference),
                "txnAmt": str(request.amount.minor),
                "currencyCode": "156",
                "payTimeout": naming.written_time(request.expires_at),
                "frontUrl": request.return_url,
                "backUrl": request.notify_url,
                "reqReserved": request.reference,  # what UnionPay's own reports name the order by, for people
                "orderDesc": answers.plain(request.description, 32),
            }
        )
        value = json.dumps({"url": address, "fields": fields}, ensure_ascii=False, sort_keys=True)
        action = NextAction(ActionKind.FORM, value, request.expires_at)
        return Answer(Outcome.ACTION_REQUIRED, next_action=action)

    def query(self, request: MovementRequest) -> Answer:
        try:
            held = request.start is not None and not request.start.capture
            found = self._order(request)
            return self._what_became_of_hold(request, found) if held else answers.payment(found)
        except Unanswered as unanswered:
            return answers.unknown(unanswered)

    def capture(self, request: MovementRequest) -> Answer:
        """The completion: once, at most what is held; the rest is let go."""
        if request.start is None or request.start.capture:
            return Answer(Outcome.ERRORED, code="not_held", message="this payment was not held")
        amount = request.amount or request.total
        order = naming.beside(naming.COMPLETION, request.reference)
        try:
            done = self._change(request, codes.COMPLETE_HOLD, order, self._query_id(request), amount)
        except Unanswered as unanswered:
            return answers.unknown(unanswered)
        if done.outcome is Outcome.ERRORED:
            # The hold may have lapsed or been let go: what it is now decides.
            now = self.query(request)
            return now if now.outcome is Outcome.CANCELLED else done
        return replace(done, captured=done.amount)

    def void(self, request: MovementRequest) -> Answer:
        found = self.query(request)
        if found.outcome is Outcome.AUTHORIZED:
            return self._let_go(request, found)
        if found.outcome is Outcome.NOT_FOUND and self._is_over(request):
            return replace(found, outcome=Outcome.CANCELLED)
        if found.outcome in (Outcome.ACTION_REQUIRED, Outcome.NOT_FOUND):
            message = "UnionPay closes no order: it can be paid until its time is over"
            return replace(found, outcome=Outcome.PENDING, message=message)
        if found.outcome in (Outcome.DECLINED, Outcome.ERRORED):
            return replace(found, outcome=Outcome.CANCELLED)
        return found

    def refund(self, request: MovementRequest) -> Answer:
        amount = request.amount
        if amount is None or amount.currency != _CURRENCY:
            return Answer(Outcome.ERRORED, code="currency_not_supported", message="UnionPay refunds CNY")
        order = naming.order_id(request.movement_reference)
        try:
            completion = self._completion(request)
            taken = answers.payment(completion).amount if completion else request.total
            at_once = amount == taken and naming.same_day(request.reference, request.movement_reference)
            undo = codes.UNDO_COMPLETION if completion else codes.UNDO_PURCHASE
            query_id = completion.text("queryId") if completion else self._query_id(request)
            return self._change(request, undo if at_once else codes.REFUND, order, query_id, amount)
        except Unanswered as unanswered:
            return answers.unknown(unanswered)

    def query_refund(self, request: MovementRequest) -> Answer:
        order, txn_time = (
            naming.order_id(request.movement_reference),
            naming.txn_time(request.movement_reference),
        )
        try:
            return answers.movement(self._gateway.find(order=order, txn_time=txn_time))
        except Unanswered as unanswered:
            return answers.unknown(unanswered)

    def fetch_statement(self, kind: str, day: date) -> Statement:
        if kind not in self.statement_kinds:
            raise StatementUnavailable(f"UnionPay has no statement called {kind[:40]!r}")
        today = naming.day_of(self._clock())
        if day >= today:
            raise StatementNotReady("this day of UnionPay's is not over")
        try:
            answer = self._gateway.file(day.strftime("%m%d"))
        except Unanswered as unanswered:
            raise ChannelUnavailable(str(unanswered)) from unanswered
        if answer.code == codes.NO_FILE:
            # A day without a movement has no file either, so waiting ends at some time.
            if today - day < _FILE_WAITS:
                raise StatementNotReady("UnionPay has not written this day's file yet")
            raise StatementUnavailable("UnionPay has no file for this day")
        if answer.code != codes.OK:
            raise ChannelUnavailable(f"UnionPay answered {answer.code} {answer.message}")
        name, content = self._unpacked(answer)
        return Statement(channel=self.code, kind=kind, day=day, name=name, content=content)

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        return self._reader.read(body)

    def acknowledge(self) -> Acknowledgement:
        return Acknowledgement(200, "ok")

    def refuse(self, refusal: NoticeRefused) -> Acknowledgement:
        return Acknowledgement(refusal.status, "fail")

    def _refusal(self, request: StartRequest) -> Answer | None:
        """Why the customer need not be sent there at all."""
        if request.amount.currency != _CURRENCY:
            code, message = "currency_not_supported", "UnionPay takes CNY"
        elif not 0 < request.amount.minor <= _LARGEST:
            code, message = "amount_out_of_range", "UnionPay takes 0.01 to 9999999999.99 CNY"
        elif request.expires_at <= self._clock():
            code, message = "expired", "the time to pay has passed"
        else:
            return None
        return Answer(Outcome.ERRORED, code=code, message=message, advice=Advice.OTHER_METHOD)

    def _unpacked(self, answer: GatewayAnswer) -> tuple[str, bytes]:
        try:
            name, content = statement.unpacked(answer.text("fileContent"))
            # Read to its end before it is believed: a file that was cut off has a line that does not fit.
            for _ in statement.rows(content, self._statement_widths):
                continue
        except statement.Unreadable as problem:
            raise ChannelUnavailable(str(problem)) from problem
        return name, content

    def _order(self, request: MovementRequest) -> GatewayAnswer:
        return self._beside(request, "")

    def _beside(self, request: MovementRequest, prefix: str) -> GatewayAnswer:
        order = naming.beside(prefix, request.reference) if prefix else naming.order_id(request.reference)
        return self._gateway.find(order=order, txn_time=naming.txn_time(request.reference))

    def _completion(self, request: MovementRequest) -> GatewayAnswer | None:
        """What UnionPay says of the hold's completion, if there was one that took money."""
        found = self._beside(request, naming.COMPLETION)
        if answers.movement(found).outcome is Outcome.NOT_FOUND:
            return None
        if answers.movement(found).outcome is not Outcome.SUCCEEDED:
            raise Unanswered("UnionPay has not said what became of the completion", code=found.code)
        return found

    def _what_became_of_hold(self, request: MovementRequest, found: GatewayAnswer) -> Answer:
        """The order itself goes on saying "held"; what was done to it later are orders of their own."""
        hold = answers.payment(found)
        if hold.outcome is not Outcome.SUCCEEDED:
            return hold
        if (undone := answers.movement(self._beside(request, naming.UNDOING))).outcome is Outcome.SUCCEEDED:
            return replace(hold, outcome=Outcome.CANCELLED, amount=None, raw=undone.raw)
        completed = answers.movement(self._beside(request, naming.COMPLETION))
        if completed.outcome is Outcome.SUCCEEDED:
            return replace(hold, captured=completed.amount, raw=completed.raw)
        if Outcome.NOT_FOUND not in (undone.outcome, completed.outcome):
            return replace(hold, outcome=Outcome.PENDING, amount=None)
        held_until = naming.moment_of(request.reference) + _HOLD_LASTS
        if self._clock() > held_until + _CLOCK_MARGIN:
            return replace(hold, outcome=Outcome.CANCELLED, amount=None)
        return replace(hold, outcome=Outcome.AUTHORIZED, held_until=held_until)

    def _let_go(self, request: MovementRequest, found: Answer) -> Answer:
        order = naming.beside(naming.UNDOING, request.reference)
        try:
            undone = self._change(request, codes.UNDO_HOLD, order, found.channel_reference, request.total)
        except Unanswered as unanswered:
            return answers.unknown(unanswered)
        if undone.outcome is Outcome.SUCCEEDED:
            return replace(found, outcome=Outcome.CANCELLED, amount=None, held_until=None, raw=undone.raw)
        # Refused: it was captured at this very moment, perhaps. What it is now decides.
        now = self.query(request)
        return replace(now, outcome=Outcome.PENDING) if now.outcome is Outcome.AUTHORIZED else now

    def _query_id(self, request: MovementRequest) -> str:
        """UnionPay's number of the payment, which everything that changes it must name."""
        return request.channel_reference or self._order(request).text("queryId")

    def _change(
        self, request: MovementRequest, txn_type: str, order: str, query_id: str, amount: Money
    ) -> Answer:
        """Ask for it, then ask what became of it. The same order twice is refused as a duplicate and asked about."""
        if not query_id:
            return Answer(Outcome.ERRORED, code=codes.NOT_FOUND, message="UnionPay knows no such payment")
        named_after = request.movement_reference or request.reference
        asked = {
            "txnType": txn_type,
            "txnSubType": "00",
            "bizType": "000201",
            "channelType": "07",
            "orderId": order,
            "txnTime": naming.txn_time(named_after),
            "txnAmt": str(amount.minor),
            "currencyCode": "156",
            "origQryId": query_id,
            "backUrl": request.notify_url,
            "reqReserved": naming.order_id(request.reference),
        }
        answer = self._gateway.do(asked)
        if answer.code in codes.REFUSED:
            return answers.refused(answer)
        if answer.code not in codes.ACCEPTED:
            return Answer(Outcome.UNKNOWN, code=answer.code, message=answer.message)
        result = answers.movement(self._gateway.find(order=order, txn_time=asked["txnTime"]))
        return replace(result, outcome=Outcome.PENDING) if result.outcome is Outcome.NOT_FOUND else result

    def _is_over(self, request: MovementRequest) -> bool:
        deadline = request.start.expires_at if request.start else None
        return deadline is not None and self._clock() > deadline + _CLOCK_MARGIN
