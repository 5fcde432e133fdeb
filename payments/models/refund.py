"""The refund: money on its way back, counted against the payment from the moment it is asked for."""

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django_fsm import FSMField, FSMModelMixin, transition

from ledger.audit import StateAudit
from ledger.identifiers import decode, encode, new_key
from ledger.money import Money
from payments.models.payment import Payment
from payments.states import RefundState as S

UNDER_WAY = [S.REQUESTED, S.PROCESSING, S.UNKNOWN]
_CHANGING = ["state", "channel_reference", "answer", "code", "message", "next_check_at", "updated_at"]
_BACK_OFF = (5, 15, 60, 300, 900, 3600)


class RefundQuerySet(models.QuerySet["Refund"]):
    def locked(self) -> Self:
        return self.select_for_update(of=("self",)).order_by("pk")

    def by_public_id(self, public_id: str) -> Self:
        return self.filter(pk=decode("ref", public_id))

    def claim_due(self, now: datetime, limit: int) -> list["Refund"]:
        """Refunds under way whose next step is due; each is given to one caller, by a conditional update."""
        due = self.filter(state__in=UNDER_WAY, next_check_at__lte=now).order_by("next_check_at")[:limit]
        claimed = []
        for refund in due:
            unchanged = self.filter(pk=refund.pk, state=refund.state, next_check_at=refund.next_check_at)
            if unchanged.update(next_check_at=now + refund.pause(), checks=refund.checks + 1):
                claimed.append(refund)
        return claimed


class Refund(FSMModelMixin, models.Model):
    """`business_key` is the caller's name for this refund: asking twice under it is asking once."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    business_key = models.CharField(max_length=150, unique=True)
    state = FSMField(default=S.REQUESTED, choices=[(s, s) for s in S], protected=True)
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    reason = models.CharField(max_length=300)
    requested_by = models.CharField(max_length=100)
    channel_reference = models.CharField(max_length=100, blank=True)
    answer = models.JSONField(default=dict)
    code = models.CharField(max_length=80, blank=True)
    message = models.CharField(max_length=300, blank=True)
    checks = models.PositiveIntegerField(default=0)
    next_check_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = RefundQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        triggers = [StateAudit("ref")]
        indexes = [
            models.Index(fields=["next_check_at"], condition=Q(state__in=UNDER_WAY), name="refund_due"),
        ]
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive")]

    def __str__(self) -> str:
        return f"{self.public_id} {self.state}"

    def store(self) -> None:
        """Write all that may change after creation; the row must be locked."""
        self.save(update_fields=_CHANGING)

    @property
    def public_id(self) -> str:
        return encode("ref", self.id)

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    def pause(self) -> timedelta:
        return timedelta(seconds=_BACK_OFF[min(self.checks, len(_BACK_OFF) - 1)])

    @transition(field=state, source=S.REQUESTED, target=S.PROCESSING)
    def process(self) -> None:
        self.next_check_at = timezone.now() + timedelta(seconds=20)

    @transition(field=state, source=[S.PROCESSING, S.UNKNOWN], target=S.PROCESSING)
    def wait(self) -> None:
        self.next_check_at = timezone.now() + self.pause()

    @transition(field=state, source=[S.PROCESSING, S.UNKNOWN], target=S.UNKNOWN)
    def lose_sight(self) -> None:
        self.next_check_at = timezone.now() + self.pause()

    @transition(field=state, source=[S.PROCESSING, S.UNKNOWN], target=S.SUCCEEDED)
    def succeed(self) -> None: ...

    @transition(field=state, source=[S.PROCESSING, S.UNKNOWN], target=S.FAILED)
    def fail(self, code: str, message: str) -> None:
        self.code, self.message = code[:80], message[:300]

    @transition(field=state, source=S.SUCCEEDED, target=S.FAILED)
    def come_back(self, code: str, message: str) -> None:
        """The bank could not take the money, and the channel returned it to us."""
        self.code, self.message = code[:80], message[:300]

    @transition(field=state, source=S.FAILED, target=S.UNKNOWN)
    def doubt(self) -> None:
        """Refused, and now it is said to have happened: the channel is asked."""
        self.next_check_at = timezone.now()
