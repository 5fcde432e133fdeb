"""Reads: what others may know of payments, as frozen dataclasses."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Min, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from ledger.identifiers import MalformedIdentifier, first_key_of
from ledger.money import Money
from payments.channels import registry
from payments.channels.contract import ActionKind, Capability
from payments.errors import PaymentNotFound, RefundNotFound
from payments.models import Attempt, OutboxEvent, Payment, Refund
from payments.routes import usable
from payments.rules import refund_rules
from payments.states import AttemptKind, PaymentState, RefundState
from risk import challenges


@dataclass(frozen=True, slots=True)
class NextActionView:
    """What the customer has to do. `kind` is an `ActionKind`, `value` a URL, a QR's text, or JSON as the kind says."""

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
    challenge: str  # chl_…, of the latest try that was challenged by us
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
class StuckMovement:
    """A movement of which nobody knows whether it moved money."""

    attempt: AttemptView
    payment: str
    reference: str
    since: datetime
    mismatch: str  # the sum that the provider told and that is not ours


@dataclass(frozen=True, slots=True)
class RefundView:
    """`needs_person`: it failed, or its channel waits for us. `arrives` is how many working days a customer waits."""

    id: str
    payment: str
    reference: str
    channel: str
    state: str
    amount: Money
    reason: str
    cause: str
    requested_by: str
    approved_by: str
    code: str
    message: str
    hand_by: str
    hand_account: str
    hand_reference: str
    needs_person: bool
    arrives: tuple[int, int]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class MovedMoney:
    """What our books say moved under one of our references (att_…) at a channel; minor units.

    What was paid back from a bank account is no movement of the channel's.
    """

    reference: str
    channel: str
    currency: str
    captured: int
    refunded: int
    disputed: int  # kept from us by disputes, for the time being or for good
    dispute_fees: int


@dataclass(frozen=True, slots=True)
class TakenMoney:
    """A payment that took or holds money for `reference`, and how much of it is back (`refunded`); back, on its way, or
    was to go back and waits for a person since that failed (`returning`); minor units."""

    payment: str
    reference: str
    currency: str
    captured: int
    refunded: int
    returning: int  # refunded, or on its way back
    held: int
    let_go: int  # of a hold: released or lapsed, and never taken
    disputed: int  # kept from us by disputes, for the time being or for good


def offered_methods() -> frozenset[str]:
    """The methods that some configured channel serves which is switched on."""
    return frozenset(method for method in settings.PAYMENT_METHODS if usable(method))


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


def attempts_of(public_id: str) -> list[AttemptView]:
    rows = Attempt.objects.filter(payment__in=Payment.objects.by_public_id(public_id))
    return [attempt_view(row) for row in rows]


def payments_of_attempts(attempts: Collection[UUID]) -> dict[str, PaymentView]:
    """By att_…; keys that are no attempt's are left out."""
    rows = Attempt.objects.filter(pk__in=attempts).select_related("payment")
    return {row.public_id: view_of(row.payment) for row in rows}


def capture_named(payment: str, key: str) -> AttemptView | None:
    """The capture of the payment that was asked for under `key`."""
    row = Attempt.objects.filter(payment__in=Payment.objects.by_public_id(payment), business_key=key).first()
    return attempt_view(row) if row else None


def captures_in_parts(payment: str) -> bool:
    """Whether what the payment holds may be captured more than once."""
    row = Payment.objects.by_public_id(payment).get()
    return Capability.MULTI_CAPTURE in registry.channel(row.channel).capabilities


def unknown_since(before: datetime, limit: int = 200) -> list[StuckMovement]:
    """The movements that have been UNKNOWN since `before` or longer, the oldest first."""
    rows = Attempt.objects.unknown_since(before).select_related("payment")[:limit]
    return [
        StuckMovement(
            attempt=attempt_view(row),
            payment=row.payment.public_id,
            reference=row.payment.reference,
            since=row.unknown_since or row.created_at,
            mismatch=row.mismatch,
        )
        for row in rows
    ]


def refund(public_id: str) -> RefundView:
    try:
        return refund_view(Refund.objects.by_public_id(public_id).select_related("payment").get())
    except (MalformedIdentifier, Refund.DoesNotExist) as error:
        raise RefundNotFound(f"There is no refund {public_id[:40]!r}.") from error


def refund_by_key(business_key: str) -> RefundView | None:
    row = Refund.objects.filter(business_key=business_key).select_related("payment").first()
    return refund_view(row) if row else None


def refunds_of(public_id: str) -> list[RefundView]:
    rows = Refund.objects.filter(payment__in=Payment.objects.by_public_id(public_id)).select_related(
        "payment"
    )
    return [refund_view(row) for row in rows]


def refunds_to_approve(limit: int = 100) -> list[RefundView]:
    """Those that wait for a second person, oldest first."""
    return [refund_view(row) for row in Refund.objects.awaiting_approval().select_related("payment")[:limit]]


def refunds_needing_a_person(limit: int = 100) -> list[RefundView]:
    """Those that failed, also after their success, and those that the provider can not finish; oldest first."""
    return [refund_view(row) for row in Refund.objects.needing_a_person().select_related("payment")[:limit]]


def money_by_attempt() -> Iterator[MovedMoney]:
    """Every movement our books know, in key order and with flat memory."""
    by_hand = (
        Refund.objects.filter(payment=OuterRef("payment"), state=RefundState.SUCCEEDED)
        .exclude(hand_by="")
        .order_by()
        .values("payment")
        .annotate(total=Sum("amount"))
        .values("total")
    )
    started = Attempt.objects.filter(
        kind=AttemptKind.START, payment__amount_captured__gt=0, state="SUCCEEDED"
    ).annotate(by_hand=Coalesce(Subquery(by_hand), 0), dispute_fees=Coalesce(Sum("disputes__fee"), 0))
    for row in started.select_related("payment").order_by("pk").iterator(chunk_size=2000):
        yield MovedMoney(
            reference=row.public_id,
            channel=row.channel,
            currency=row.currency,
            captured=row.payment.amount_captured,
            refunded=row.payment.amount_refunded - row.by_hand,  # type: ignore[attr-defined]
            disputed=row.payment.amount_disputed,
            dispute_fees=row.dispute_fees,  # type: ignore[attr-defined]
        )


def money_taken(
    references: Collection[str] | None = None, *, since: datetime | None = None
) -> Iterator[TakenMoney]:
    """Every payment that took or holds money, for all references or for these, begun `since` then or at any time.

    In key order, with flat memory.
    """
    failed = (
        Refund.objects.filter(payment=OuterRef("pk"), state=RefundState.FAILED, closed=False)
        .order_by()
        .values("payment")
        .annotate(total=Sum("amount"))
        .values("total")
    )
    rows = Payment.objects.filter(Q(amount_captured__gt=0) | Q(amount_authorized__gt=0)).order_by("pk")
    rows = rows.annotate(failed=Coalesce(Subquery(failed), 0))
    if references is not None:
        rows = rows.filter(reference__in=references)
    if since is not None:
        rows = rows.filter(pk__gte=first_key_of(since))
    for row in rows.iterator(chunk_size=2000):
        failing: int = row.failed  # type: ignore[attr-defined]
        yield TakenMoney(
            payment=row.public_id,
            reference=row.reference,
            currency=row.currency,
            captured=row.amount_captured,
            refunded=row.amount_refunded,
            returning=min(row.amount_captured, row.amount_refunded + row.amount_refunding + failing),
            held=row.held,
            let_go=row.let_go,
            disputed=row.amount_disputed,
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
        challenge=row.challenge,
        surplus=row.surplus,
        expires_at=row.expires_at,
        created_at=row.created_at,
    )


def attempt_view(row: Attempt) -> AttemptView:
    return AttemptView(
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


def refund_view(row: Refund) -> RefundView:
    return RefundView(
        id=row.public_id,
        payment=row.payment.public_id,
        reference=row.payment.reference,
        channel=row.payment.channel,
        state=row.state,
        amount=row.money,
        reason=row.reason,
        cause=row.cause,
        requested_by=row.requested_by,
        approved_by=row.approved_by,
        code=row.code,
        message=row.message,
        hand_by=row.hand_by,
        hand_account=row.hand_account,
        hand_reference=row.hand_reference,
        needs_person=row.needs_person,
        arrives=refund_rules(row.payment.channel).arrives,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _next_action(row: Payment) -> NextActionView | None:
    if row.state != PaymentState.REQUIRES_ACTION:
        return None
    if row.challenge_pending:
        return _asked_by_us(row)
    starts = row.attempts.filter(kind=AttemptKind.START)
    # The customer may have acted since the row was read: then none is open any more.
    attempt = starts.open().first() or starts.order_by("-id").first()
    action = attempt.next_action if attempt else None
    return NextActionView(action.kind, action.value, action.expires_at) if action else None


def _asked_by_us(row: Payment) -> NextActionView:
    asked = challenges.challenge(row.challenge)
    return NextActionView(
        ActionKind.CHALLENGE, json.dumps(asked.told(), ensure_ascii=False), asked.expires_at
    )
