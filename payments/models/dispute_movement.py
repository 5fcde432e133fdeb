"""What we ask of the channel about a dispute, under one outbound key for all its retries."""

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django_fsm import FSMModelMixin, transition

from ledger.audit import StateAudit
from ledger.fields import StateField
from ledger.identifiers import encode, new_key
from payments.models.dispute import Dispute
from payments.states import DisputeMovementKind, DisputeState
from payments.states import DisputeMovementState as S

UNDER_WAY = [S.SENT, S.UNKNOWN]
_BACK_OFF = (5, 15, 60, 300, 900, 3600)
# Files go first, one call each; only then does the answer itself.
_ANSWER_DUE = timedelta(seconds=90)


class DisputeMovementQuerySet(models.QuerySet["DisputeMovement"]):
    def locked(self) -> Self:
        return self.select_for_update(of=("self",)).order_by("pk")

    def counting(self) -> Self:
        """What was done, or may have been."""
        return self.exclude(state=S.FAILED)

    def claim_due(self, now: datetime, limit: int) -> list["DisputeMovement"]:
        """Movements under way whose next question is due; each is given to one caller."""
        due = self.filter(state__in=UNDER_WAY, next_check_at__lte=now).order_by("next_check_at")[:limit]
        return [
            movement
            for movement in due
            if self.filter(pk=movement.pk, state=movement.state, next_check_at=movement.next_check_at).update(
                next_check_at=now + movement.pause(), checks=movement.checks + 1
            )
        ]


class DisputeMovement(FSMModelMixin, models.Model):
    """`texts` and `files` (kind → evf_…) are what was sent; nothing of them changes any more.

    One of a kind counts for each `stage`: an inquiry that was answered may still become a dispute.
    """

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, related_name="movements")
    kind = models.CharField(max_length=10, choices=[(k, k) for k in DisputeMovementKind])
    stage = models.CharField(max_length=20, choices=[(s, s) for s in DisputeState])
    state = StateField(default=S.SENT, choices=[(s, s) for s in S], protected=True)
    texts = models.JSONField(default=dict)
    files = models.JSONField(default=dict)
    requested_by = models.CharField(max_length=100)
    message = models.CharField(max_length=300, blank=True)
    checks = models.PositiveIntegerField(default=0)
    next_check_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DisputeMovementQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        default_permissions = ("view",)
        triggers = [StateAudit("dmv")]
        indexes = [
            models.Index(
                fields=["next_check_at"], condition=Q(state__in=UNDER_WAY), name="dispute_movement_due"
            ),
        ]
        constraints = [
            # Not per kind: who accepts does not answer, and the other way round.
            models.UniqueConstraint(
                fields=["dispute", "stage"], condition=~Q(state=S.FAILED), name="dispute_answered_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.kind} {self.state}"

    def store(self) -> None:
        self.save(update_fields=["state", "message", "next_check_at"])

    @property
    def public_id(self) -> str:
        return encode("dmv", self.id)

    @property
    def key(self) -> str:
        """The outbound idempotency key."""
        return self.public_id

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY

    @staticmethod
    def answer_due() -> datetime:
        return timezone.now() + _ANSWER_DUE

    def pause(self) -> timedelta:
        return timedelta(seconds=_BACK_OFF[min(self.checks, len(_BACK_OFF) - 1)])

    @transition(field=state, source=UNDER_WAY, target=S.UNKNOWN)
    def lose_sight(self, message: str) -> None:
        self.message = message[:300]
        self.next_check_at = timezone.now() + self.pause()

    @transition(field=state, source=UNDER_WAY, target=S.SUCCEEDED)
    def succeed(self) -> None:
        self.message = ""

    @transition(field=state, source=UNDER_WAY, target=S.FAILED)
    def fail(self, message: str) -> None:
        """The provider refused it: nothing was submitted, and it may be mended."""
        self.message = message[:300]
