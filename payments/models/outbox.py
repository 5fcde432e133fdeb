"""The outbox: what happened, written in the transaction in which it happened, delivered after it."""

import uuid
from datetime import datetime, timedelta

from django.db import connection, models
from django.db.models import Q
from django.utils import timezone

from ledger.identifiers import encode, new_key

_BACK_OFF = (1, 5, 30, 120, 600, 1800, 3600, 3600, 3600, 3600)

# The oldest waiting event of each subject, leased to this caller in one statement.
_CLAIM = """
UPDATE payments_outboxevent SET leased_until = %(until)s WHERE id IN (
    SELECT id FROM payments_outboxevent event
    WHERE delivered_at IS NULL AND dead_at IS NULL AND next_try_at <= %(now)s
      AND (leased_until IS NULL OR leased_until < %(now)s)
      AND NOT EXISTS (
        SELECT 1 FROM payments_outboxevent earlier
        WHERE earlier.subject = event.subject AND earlier.id < event.id
          AND earlier.delivered_at IS NULL AND earlier.dead_at IS NULL)
    ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
RETURNING id
"""


class OutboxQuerySet(models.QuerySet["OutboxEvent"]):
    def waiting(self) -> "OutboxQuerySet":
        return self.filter(delivered_at=None, dead_at=None)

    def claim(self, now: datetime, limit: int, lease: timedelta) -> list["OutboxEvent"]:
        """Lease due events, at most one per subject, so that one subject's events arrive in turn."""
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM, {"now": now, "until": now + lease, "limit": limit})
            claimed = [row[0] for row in cursor.fetchall()]
        return list(self.filter(pk__in=claimed).order_by("pk")) if claimed else []


class OutboxEvent(models.Model):
    id = models.BigAutoField(primary_key=True)
    event = models.UUIDField(unique=True, default=new_key, editable=False)
    name = models.CharField(max_length=60)
    subject = models.CharField(max_length=64)
    payload = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)
    next_try_at = models.DateTimeField(default=timezone.now)
    leased_until = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True)
    dead_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    objects = OutboxQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["id"], condition=Q(delivered_at=None, dead_at=None), name="outbox_waiting"),
            models.Index(
                fields=["subject", "id"],
                condition=Q(delivered_at=None, dead_at=None),
                name="outbox_waiting_subject",
            ),
            models.Index(fields=["subject", "name"], name="outbox_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.name} {self.subject}"

    @property
    def public_id(self) -> str:
        return encode("evt", uuid.UUID(str(self.event)))

    def delivered(self) -> None:
        self.delivered_at = timezone.now()
        self.save(update_fields=["delivered_at"])

    def delivery_failed(self, error: str) -> None:
        """Back off; after the last try the event is dead: kept, shown, no longer in its subject's way."""
        self.error, self.tries, self.leased_until = error[:300], self.tries + 1, None
        if self.tries > len(_BACK_OFF):
            self.dead_at = timezone.now()
        else:
            self.next_try_at = timezone.now() + timedelta(seconds=_BACK_OFF[self.tries - 1])
        self.save(update_fields=["error", "tries", "leased_until", "dead_at", "next_try_at"])
