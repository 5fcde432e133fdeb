"""The inbox: every verified notification, once, with the body as it came."""

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django_fsm import FSMModelMixin, transition

from ledger.audit import StateAudit
from ledger.fields import StateField
from ledger.identifiers import decode, encode, new_key
from payments.models.retrying import wait_after
from payments.states import InboxState as S

WAITING = [S.RECEIVED, S.FAILED]
_BACK_OFF = (2, 5, 15, 60, 300, 900, 3600, 3600, 3600, 3600)


def _soon() -> datetime:
    """Whoever stored it applies it; by then it may be taken up by another."""
    return timezone.now() + timedelta(seconds=30)


class InboxQuerySet(models.QuerySet["InboxEvent"]):
    def locked(self) -> Self:
        return self.select_for_update(of=("self",)).order_by("pk")

    def same_as(self, row: "InboxEvent") -> Self:
        """The notification that `row` is, or would have been had it not come before."""
        return self.filter(channel=row.channel, event_id=row.event_id)

    def due(self, now: datetime) -> Self:
        return self.filter(state__in=WAITING, next_try_at__lte=now).order_by("next_try_at")

    def by_public_id(self, public_id: str) -> Self:
        return self.filter(pk=decode("inb", public_id))

    def forgettable(self, before: datetime) -> Self:
        return self.filter(state__in=[S.APPLIED, S.IGNORED], received_at__lt=before)


class InboxEvent(FSMModelMixin, models.Model):
    """`notice` is the verified notification in our words, so that it can be applied later than its signature holds."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    channel = models.CharField(max_length=20)
    event_id = models.CharField(max_length=150)
    state = StateField(default=S.RECEIVED, choices=[(s, s) for s in S], protected=True)
    reference = models.CharField(max_length=64, blank=True, db_index=True)
    notice = models.JSONField()
    headers = models.JSONField(default=dict, db_default={})
    body = models.BinaryField()
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(default=_soon)
    error = models.CharField(max_length=300, blank=True)
    received_at = models.DateTimeField(auto_now_add=True)
    applied_at = models.DateTimeField(null=True)

    objects = InboxQuerySet.as_manager()

    class Meta:
        ordering = ["-received_at"]
        triggers = [StateAudit("inb")]
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(state__in=WAITING), name="inbox_due"),
            models.Index(fields=["received_at"], name="inbox_by_age"),
            models.Index(fields=["-received_at"], condition=Q(state=S.DEAD), name="inbox_dead"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["channel", "event_id"], name="inbox_once_per_channel"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.event_id} {self.state}"

    @property
    def public_id(self) -> str:
        return encode("inb", self.id)

    def store(self) -> None:
        """Write all that may change after creation; the row must be locked."""
        self.save(update_fields=["state", "tries", "next_try_at", "error", "applied_at"])

    @transition(field=state, source=WAITING, target=S.APPLIED)
    def apply(self) -> None:
        self.applied_at = timezone.now()

    @transition(field=state, source=WAITING, target=S.IGNORED)
    def ignore(self) -> None: ...

    @transition(field=state, source=WAITING, target=S.FAILED)
    def fail(self, error: str) -> None:
        self.error = error[:300]
        self.tries += 1
        self.next_try_at = timezone.now() + (wait_after(self.tries, _BACK_OFF) or timedelta())

    @transition(field=state, source=WAITING, target=S.DEAD)
    def bury(self, error: str) -> None:
        """For a person: it can never be applied as it stands, or was tried too often."""
        self.error = error[:300]

    @transition(field=state, source=S.DEAD, target=S.RECEIVED)
    def revive(self) -> None:
        """Somebody believes that it can be applied now; it has all its tries again."""
        self.tries, self.error = 0, ""
        self.next_try_at = _soon()

    @property
    def is_exhausted(self) -> bool:
        return self.tries >= len(_BACK_OFF)
