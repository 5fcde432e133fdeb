"""The payment: what a customer owes for one reference, and what became of it."""

from datetime import datetime, timedelta
from typing import Any, Self

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django_fsm import FSMModelMixin, transition

from ledger.audit import StateAudit
from ledger.fields import StateField
from ledger.identifiers import decode, encode, new_key
from ledger.money import Money
from payments.models import bells
from payments.states import CaptureMode
from payments.states import PaymentState as S

# A provider's success is believed whatever we thought before: the money is there.
_MAY_STILL_SUCCEED = [S.PROCESSING, S.REQUIRES_ACTION, S.UNKNOWN, S.AUTHORIZED, S.FAILED, S.CANCELLED]

_CHANGING = [
    "state",
    "method",
    "channel",
    "amount_authorized",
    "amount_captured",
    "amount_refunding",
    "amount_refunded",
    "amount_disputed",
    "captures",
    "capture_mode",
    "held_until",
    "customer",
    "lapse_warned_at",
    "surplus",
    "decision",
    "risk_level",
    "case",
    "review_pending",
    "decide_by",
    "challenge",
    "challenge_pending",
    "failure_code",
    "failure_message",
    "advice",
    "instrument",
    "return_url",
    "device",
    "client_ip",
    "expires_at",
    "updated_at",
]


HOLDS = Q(state__in=[S.AUTHORIZED, S.IN_REVIEW, S.SUCCEEDED], amount_authorized__gt=F("amount_captured"))
# Where the provider does not say how long it holds: the shortest that card schemes grant.
_SHORTEST_HOLD = timedelta(days=5)


def _is_challenged(payment: models.Model) -> bool:
    return isinstance(payment, Payment) and payment.challenge_pending


class PaymentQuerySet(models.QuerySet["Payment"]):
    def locked(self) -> Self:
        """Row locks in primary-key order; the first lock of payment → order → stock → ledger."""
        return self.select_for_update(of=("self",)).order_by("pk")

    def live_beside(self, payment: "Payment") -> Self:
        """The other payment that counts for the same reference, if there is one."""
        others = self.filter(reference=payment.reference, surplus=False).exclude(pk=payment.pk)
        return others.exclude(state=S.CANCELLED)

    def holding(self) -> Self:
        """Those of which a part is authorised and neither taken nor let go."""
        return self.filter(HOLDS)

    def by_public_id(self, public_id: str) -> Self:
        return self.filter(pk=decode("pay", public_id))


class Payment(FSMModelMixin, models.Model):
    """One payment per reference; a refused one is tried again under the same row.

    Amounts are minor units of `currency`. Sums stand beside the state: a refund never hides a success.
    `surplus` marks money that arrived although another payment of the same reference already counts; it goes back.
    """

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    reference = models.CharField(max_length=64)
    business_key = models.CharField(max_length=100, unique=True)
    state = StateField(default=S.INIT, choices=[(s, s) for s in S], protected=True)
    method = models.CharField(max_length=20)
    channel = models.CharField(max_length=20, blank=True)
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    amount_authorized = models.BigIntegerField(default=0)
    amount_captured = models.BigIntegerField(default=0)
    amount_refunding = models.BigIntegerField(default=0)
    amount_refunded = models.BigIntegerField(default=0)
    amount_disputed = models.BigIntegerField(
        default=0, db_default=0
    )  # withdrawn by disputes that are open or lost
    capture_mode = models.CharField(
        max_length=10,
        choices=[(m, m) for m in CaptureMode],
        default=CaptureMode.AUTOMATIC,
        db_default=CaptureMode.AUTOMATIC,
    )
    captures = models.PositiveSmallIntegerField(default=0, db_default=0)  # how many were booked
    held_until = models.DateTimeField(null=True)  # when the provider lets what is authorised go by itself
    lapse_warned_at = models.DateTimeField(null=True)
    customer = models.CharField(
        max_length=80, blank=True, default="", db_default=""
    )  # whose saved instruments may pay it
    surplus = models.BooleanField(default=False)
    description = models.CharField(max_length=200)
    decision = models.CharField(max_length=40, blank=True)
    risk_level = models.CharField(max_length=10, blank=True)
    case = models.CharField(max_length=40, blank=True, db_index=True)
    review_pending = models.BooleanField(default=False)
    decide_by = models.DateTimeField(null=True)
    challenge = models.CharField(max_length=40, blank=True, default="", db_default="")  # chl_…
    challenge_pending = models.BooleanField(default=False, db_default=False)
    failure_code = models.CharField(max_length=80, blank=True)
    failure_message = models.CharField(max_length=300, blank=True)
    advice = models.CharField(max_length=20, blank=True)
    instrument = models.JSONField(default=dict)
    return_url = models.CharField(max_length=500, blank=True)
    device = models.CharField(max_length=10, default="desktop")
    client_ip = models.CharField(max_length=45, blank=True)
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        permissions = [("capture_payment", "Can capture and release what is held")]
        triggers = [
            StateAudit("pay"),
            *bells.PAYMENT,
            # A dispute may come on top of a refund that is on its way; no refund comes on top of a dispute.
            pgtrigger.Trigger(
                name="refund_what_is_left",
                when=pgtrigger.Before,
                operation=pgtrigger.UpdateOf("amount_refunding"),  # type: ignore[no-untyped-call]
                condition=pgtrigger.Q(new__amount_refunding__gt=pgtrigger.F("old__amount_refunding")),
                func="""
                    IF NEW.amount_refunding + NEW.amount_refunded + NEW.amount_disputed > NEW.amount_captured THEN
                        RAISE EXCEPTION 'payment %: % captured, not enough left for another refund',
                            NEW.id, NEW.amount_captured USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]
        indexes = [
            models.Index(fields=["reference"], name="payment_reference"),
            models.Index(fields=["-created_at"], name="payment_created"),
            models.Index(fields=["held_until"], condition=HOLDS, name="payment_holds"),
            models.Index(
                fields=["expires_at"], condition=Q(challenge_pending=True), name="payment_challenged"
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(
                condition=Q(amount_captured__gte=0) & Q(amount_captured__lte=F("amount")),
                name="payment_captured_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(amount_refunding__gte=0)
                & Q(amount_refunded__gte=0)
                & Q(amount_captured__gte=F("amount_refunding") + F("amount_refunded")),
                name="payment_refunds_within_captured",
            ),
            models.CheckConstraint(
                condition=Q(amount_authorized=0)
                | (Q(amount_authorized__lte=F("amount")) & Q(amount_authorized__gte=F("amount_captured"))),
                name="payment_captured_within_authorized",
            ),
            models.CheckConstraint(condition=Q(amount_disputed__gte=0), name="payment_disputed_not_negative"),
            models.CheckConstraint(
                condition=~Q(state=S.SUCCEEDED) | Q(amount_captured__gt=0), name="payment_succeeded_has_money"
            ),
            models.CheckConstraint(
                condition=Q(state=S.SUCCEEDED) | Q(amount_captured=0), name="payment_money_means_succeeded"
            ),
            models.UniqueConstraint(
                fields=["reference"],
                condition=~Q(state=S.CANCELLED) & Q(surplus=False),
                name="payment_one_live_per_reference",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.state}"

    @property
    def public_id(self) -> str:
        return encode("pay", self.id)

    def store(self) -> None:
        """Write all that may change after creation; the row must be locked."""
        self.save(update_fields=_CHANGING)

    def money(self, minor: int) -> Money:
        return Money(minor, self.currency)

    @property
    def refundable(self) -> int:
        """Minor units that were captured and are neither returned, nor on their way back, nor disputed."""
        spoken_for = self.amount_refunded + self.amount_refunding + self.amount_disputed
        return max(0, self.amount_captured - spoken_for)

    @property
    def owes_twice(self) -> bool:
        """Whether disputes took back what refunds promise, too."""
        promised = self.amount_refunded + self.amount_refunding
        return promised + self.amount_disputed > self.amount_captured

    @property
    def held(self) -> int:
        """Minor units that are authorised and neither captured nor let go."""
        return max(0, self.amount_authorized - self.amount_captured)

    @property
    def let_go(self) -> int:
        """Minor units of a hold that were released or lapsed; what was taken at once lets nothing go."""
        taken = self.amount_captured + self.held
        return self.amount - taken if self.capture_mode == CaptureMode.MANUAL else 0

    def told(self) -> dict[str, Any]:
        """What every event about this payment says."""
        return {
            "reference": self.reference,
            "payment": self.public_id,
            "amount": self.amount,
            "currency": self.currency,
            "method": self.method,
            "channel": self.channel,
        }

    def fail_with(self, code: str, message: str, advice: str) -> None:
        self.failure_code, self.failure_message, self.advice = code[:80], message[:300], advice

    @transition(field=state, source=[S.INIT, S.FAILED], target=S.RISK_CHECKING)
    def check_risk(self, **verdict: Any) -> None:
        """Begin (again): the verdict is given in the same transaction."""
        for name, value in verdict.items():
            setattr(self, name, value)
        self.fail_with("", "", "")

    @transition(field=state, source=[S.RISK_CHECKING, S.IN_REVIEW], target=S.PROCESSING)
    def process(self) -> None:
        """A channel is about to be asked."""

    @transition(field=state, source=[S.RISK_CHECKING, S.IN_REVIEW], target=S.REQUIRES_ACTION)
    def await_challenge(self, challenge: str, until: datetime) -> None:
        """The customer answers us first: no channel was asked yet, or what a reviewer looked at is held still."""
        self.challenge, self.challenge_pending, self.expires_at = challenge, True, until

    @transition(field=state, source=S.REQUIRES_ACTION, target=S.PROCESSING, conditions=[_is_challenged])
    def pass_challenge(self, time_to_pay: timedelta) -> None:
        """Answered: a channel is about to be asked."""
        self.challenge_pending, self.expires_at = False, timezone.now() + time_to_pay

    @transition(field=state, source=[S.RISK_CHECKING, S.AUTHORIZED], target=S.IN_REVIEW)
    def hold_for_review(self) -> None:
        """A person decides: before the channel was asked, or with the money authorised."""
        if self.decide_by:
            self.expires_at = max(self.expires_at, self.decide_by)

    @transition(field=state, source=S.IN_REVIEW, target=S.AUTHORIZED)
    def release_from_review(self) -> None:
        """Approved with the money authorised: what is left is to capture."""

    @transition(field=state, source=S.REQUIRES_ACTION, target=S.AUTHORIZED, conditions=[_is_challenged])
    def pass_held_challenge(self) -> None:
        """Answered with the money authorised: what is left is to capture."""
        self.challenge_pending = False

    @transition(field=state, source=[S.PROCESSING, S.UNKNOWN], target=S.REQUIRES_ACTION)
    def require_action(self) -> None:
        """The customer is with the provider."""

    @transition(field=state, source=S.PROCESSING, target=S.UNKNOWN)
    def lose_sight(self) -> None:
        """No clear answer came; the provider will be asked."""

    @transition(
        field=state,
        source=[S.PROCESSING, S.REQUIRES_ACTION, S.UNKNOWN, S.FAILED, S.CANCELLED],
        target=S.AUTHORIZED,
    )
    def authorize(self, amount: int, until: datetime | None = None) -> None:
        self.amount_authorized = amount
        self.held_until, self.lapse_warned_at = until or timezone.now() + _SHORTEST_HOLD, None
        self.fail_with("", "", "")

    @transition(field=state, source=_MAY_STILL_SUCCEED, target=S.SUCCEEDED)
    def succeed(self, captured: int) -> None:
        self.take_more(captured)
        self.fail_with("", "", "")

    def take_more(self, captured: int) -> None:
        """Another part of what is held was taken."""
        self.amount_captured += captured
        self.captures += 1

    def let_rest_go(self) -> int:
        """Nothing more will be taken; returns how much was held."""
        released = self.held
        self.amount_authorized = self.amount_captured
        return released

    def hold_until(self, until: datetime | None) -> None:
        """The provider says anew how long it holds."""
        if until and until != self.held_until:
            self.held_until, self.lapse_warned_at = until, None

    @transition(
        field=state, source=[S.PROCESSING, S.REQUIRES_ACTION, S.UNKNOWN, S.AUTHORIZED], target=S.FAILED
    )
    def fail(self, code: str, message: str, advice: str) -> None:
        """Proven: no money moved."""
        self.amount_authorized = 0
        self.fail_with(code, message, advice)

    @transition(
        field=state,
        source=[
            S.INIT,
            S.RISK_CHECKING,
            S.IN_REVIEW,
            S.REQUIRES_ACTION,
            S.PROCESSING,
            S.UNKNOWN,
            S.AUTHORIZED,
            S.FAILED,
        ],
        target=S.CANCELLED,
    )
    def cancel(self, reason: str) -> None:
        """Closed, voided or lapsed: nothing was kept."""
        self.amount_authorized = 0
        self.fail_with(reason, "", "")
