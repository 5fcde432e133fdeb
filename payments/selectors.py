"""Reads: what others may know of payments, as frozen dataclasses."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Min
from django.utils import timezone

from ledger.identifiers import MalformedIdentifier
from ledger.money import Money
from payments.errors import PaymentNotFound, RefundNotFound
from payments.models import Attempt, OutboxEvent, Payment, Refund
from payments.states import AttemptKind, PaymentState


@dataclass(frozen=True, slots=True)
class NextActionView:
    """What the customer has to do. `kind` is "redirect", "three_d_secure" or "qr"; `value` a URL or the QR's text."""

    kind: str
    value: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class PaymentView:
    id: str
    reference: str
    state: PaymentState
    method: str
    channel: str
    amount: Money
    captured: Money
    refunded: Money
    refundable: Money
    disputed: Money
    held: Money
    held_until: datetime | None
    capture_mode: str
    next_action: NextActionView | None
    failure_code: str
    failure_message: str
    advice: str
    brand: str
    last4: str
    card_country: str
    risk_level: str
    decision: str
    case: str
    decide_by: datetime | None
    surplus: bool
    expires_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AttemptView:
    id: str
    kind: str
    state: str
    channel: str
    channel_reference: str
    amount: Money
    code: str
    message: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RefundView:
    id: str
    payment: str
    reference: str
    state: str
    amount: Money
    reason: str
    code: str
    message: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MovedMoney:
    """What our books say moved under one of our references (att_…) at a channel; minor units."""

    reference: str
    channel: str
    currency: str
    captured: int
    refunded: int


@dataclass(frozen=True, slots=True)
class TakenMoney:
    """A payment that took money for `reference`, and how much of it is back or on its way; minor units."""

    payment: str
    reference: str
    currency: str
    captured: int
    returning: int


def payment(public_id: str) -> PaymentView:
    """Raises `PaymentNotFound`, also for what is no payment identifier at all."""
    try:
        return view_of(Payment.objects.by_public_id(public_id).get())
    except (MalformedIdentifier, Payment.DoesNotExist) as error:
        raise PaymentNotFound(f"There is no payment {public_id[:40]!r}.") from error


def live_payment(reference: str) -> PaymentView | None:
    """The payment that may still take, or took, money for `reference`."""
    row = (
        Payment.objects.filter(reference=reference, surplus=False)
        .exclude(state=PaymentState.CANCELLED)
        .first()
    )
    return view_of(row) if row else None


def payments_of(reference: str) -> list[PaymentView]:
    """Every payment of `reference`, newest first."""
    return [view_of(row) for row in Payment.objects.filter(reference=reference)]


def payment_of_case(case: str) -> PaymentView | None:
    row = Payment.objects.filter(case=case).first()
    return view_of(row) if row else None


def attempts_of(public_id: str) -> list[AttemptView]:
    rows = Attempt.objects.filter(payment__in=Payment.objects.by_public_id(public_id))
    return [
        AttemptView(
            id=row.public_id,
            kind=row.kind,
            state=row.state,
            channel=row.channel,
            channel_reference=row.channel_reference,
            amount=row.money,
            code=row.code,
            message=row.message,
            created_at=row.created_at,
        )
        for row in rows
    ]


def refund(public_id: str) -> RefundView:
    try:
        return refund_view(Refund.objects.by_public_id(public_id).select_related("payment").get())
    except (MalformedIdentifier, Refund.DoesNotExist) as error:
        raise RefundNotFound(f"There is no refund {public_id[:40]!r}.") from error


def refunds_of(public_id: str) -> list[RefundView]:
    rows = Refund.objects.filter(payment__in=Payment.objects.by_public_id(public_id)).select_related(
        "payment"
    )
    return [refund_view(row) for row in rows]


def money_by_attempt() -> Iterator[MovedMoney]:
    """Every movement our books know, in key order and with flat memory."""
    started = Attempt.objects.filter(
        kind=AttemptKind.START, payment__amount_captured__gt=0, state="SUCCEEDED"
    )
    for row in started.select_related("payment").order_by("pk").iterator(chunk_size=2000):
        yield MovedMoney(
            reference=row.public_id,
            channel=row.channel,
            currency=row.currency,
            captured=row.payment.amount_captured,
            refunded=row.payment.amount_refunded,
        )


def money_taken(references: Collection[str] | None = None) -> Iterator[TakenMoney]:
    """Every payment that took money, for all references or for these; in key order and with flat memory."""
    rows = Payment.objects.filter(amount_captured__gt=0).order_by("pk")
    if references is not None:
        rows = rows.filter(reference__in=references)
    for row in rows.iterator(chunk_size=2000):
        yield TakenMoney(
            payment=row.public_id,
            reference=row.reference,
            currency=row.currency,
            captured=row.amount_captured,
            returning=row.amount_refunded + row.amount_refunding,
        )


def outbox_lag() -> float:
    """Seconds that the oldest event has waited for the relay; 0.0 when none waits.

    What a subscriber refused is no longer counted: it is tried again and says nothing about the relay.
    """
    oldest = OutboxEvent.objects.waiting().aggregate(at=Min("created_at"))["at"]
    return max(0.0, (timezone.now() - oldest).total_seconds()) if oldest else 0.0


def view_of(row: Payment) -> PaymentView:
    return PaymentView(
        id=row.public_id,
        reference=row.reference,
        state=PaymentState(row.state),
        method=row.method,
        channel=row.channel,
        amount=row.money(row.amount),
        captured=row.money(row.amount_captured),
        refunded=row.money(row.amount_refunded),
        refundable=row.money(row.refundable),
        disputed=row.money(row.amount_disputed),
        held=row.money(row.held),
        held_until=row.held_until,
        capture_mode=row.capture_mode,
        next_action=_next_action(row),
        failure_code=row.failure_code,
        failure_message=row.failure_message,
        advice=row.advice,
        brand=row.instrument.get("brand", ""),
        last4=row.instrument.get("last4", ""),
        card_country=row.instrument.get("country", ""),
        risk_level=row.risk_level,
        decision=row.decision,
        case=row.case,
        decide_by=row.decide_by,
        surplus=row.surplus,
        expires_at=row.expires_at,
        created_at=row.created_at,
    )


def refund_view(row: Refund) -> RefundView:
    return RefundView(
        id=row.public_id,
        payment=row.payment.public_id,
        reference=row.payment.reference,
        state=row.state,
        amount=row.money,
        reason=row.reason,
        code=row.code,
        message=row.message,
        created_at=row.created_at,
    )


def _next_action(row: Payment) -> NextActionView | None:
    if row.state != PaymentState.REQUIRES_ACTION:
        return None
    attempt = row.attempts.open().filter(kind=AttemptKind.START).first()
    action = attempt.next_action if attempt else None
    return NextActionView(action.kind, action.value, action.expires_at) if action else None
