"""The outbox: what happened, written in the transaction in which it happened, delivered after it.

An event is handed to all its subscribers at once and is done with then. A subscriber that fails gets a row of its
own, so that the event is tried again for it alone, and what follows on the same subject waits behind it.
"""

import json
import uuid
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

import pgtrigger
from django.db import connection, models
from django.db.models import Q
from django.utils import timezone

from ledger.identifiers import encode, new_key
from payments.events import Told
from payments.models.retrying import wait_after

_BACK_OFF = (1, 5, 30, 120, 600, 1800, 3600, 3600, 3600, 3600)

CHANNEL = "outbox"
# Held by a relay that sleeps; whoever writes an event meanwhile can not share it, and therefore rings.
SLEEPS = 0x6F7574626F78
# One relay claims at a time: two would split a subject between them.
_CLAIMS = 0x636C61696D73

# Two statements in one round trip and one transaction: the second one sees what the last claimant committed.
_CLAIM_EVENTS = """
SELECT pg_advisory_xact_lock(%(claims)s);
UPDATE payments_outboxevent SET leased_until = %(until)s WHERE id IN (
    SELECT id FROM payments_outboxevent event
    WHERE delivered_at IS NULL AND (leased_until IS NULL OR leased_until < %(now)s)
      AND NOT EXISTS (
        SELECT 1 FROM payments_outboxevent earlier
        WHERE earlier.subject = event.subject AND earlier.id < event.id
          AND earlier.delivered_at IS NULL AND earlier.leased_until >= %(now)s)
    ORDER BY id LIMIT %(limit)s)
RETURNING id, event, name, subject, payload, created_at, request_id
"""
# The head of every line that is due: what stands behind it waits.
_CLAIM_DELIVERIES = """
UPDATE payments_outboxdelivery SET leased_until = %(until)s WHERE id IN (
    SELECT id FROM payments_outboxdelivery delivery
    WHERE delivered_at IS NULL AND dead_at IS NULL AND next_try_at <= %(now)s
      AND (leased_until IS NULL OR leased_until < %(now)s) AND subscriber <> ALL (%(left_alone)s)
      AND NOT EXISTS (
        SELECT 1 FROM payments_outboxdelivery earlier
        WHERE earlier.subject = delivery.subject AND earlier.subscriber = delivery.subscriber
          AND earlier.event_id < delivery.event_id
          AND earlier.delivered_at IS NULL AND earlier.dead_at IS NULL)
    ORDER BY next_try_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
RETURNING id
"""


class OutboxQuerySet(models.QuerySet["OutboxEvent"]):
    def waiting(self) -> "OutboxQuerySet":
        return self.filter(delivered_at=None)

    def claim(self, now: datetime, until: datetime, limit: int) -> list[Told]:
        """Lease the oldest waiting events, several of one subject too, but none behind what another relay holds."""
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM_EVENTS, {"now": now, "until": until, "limit": limit, "claims": _CLAIMS})
            cursor.nextset()
            return sorted((_told_by(*row) for row in cursor.fetchall()), key=lambda told: told.sequence)

    def handed_out(self, sequences: Collection[int], until: datetime) -> int:
        """Done with, for whoever still holds the lease that ends at `until`."""
        return self.filter(pk__in=sequences, leased_until=until).update(
            delivered_at=timezone.now(), leased_until=None
        )

    def forgettable(self, before: datetime) -> "OutboxQuerySet":
        """What reached everybody long ago."""
        unsettled = OutboxDelivery.objects.filter(delivered_at=None, event=models.OuterRef("pk"))
        return self.filter(delivered_at__lt=before).exclude(models.Exists(unsettled))


class OutboxEvent(models.Model):
    id = models.BigAutoField(primary_key=True)
    event = models.UUIDField(unique=True, default=new_key, editable=False)
    name = models.CharField(max_length=60)
    subject = models.CharField(max_length=64)
    payload = models.JSONField()
    request_id = models.CharField(max_length=80, blank=True, default="", db_default="")
    created_at = models.DateTimeField(default=timezone.now)
    leased_until = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)

    objects = OutboxQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["id"], condition=Q(delivered_at=None), name="outbox_not_delivered"),
            models.Index(
                fields=["subject", "id"], condition=Q(delivered_at=None), name="outbox_subject_not_delivered"
            ),
            models.Index(fields=["subject", "name"], name="outbox_subject"),
            models.Index(fields=["delivered_at"], name="outbox_by_age"),
        ]
        triggers = [
            # A notification makes commits wait for one another, so it is only sent to a relay that sleeps.
            pgtrigger.Trigger(
                name="wake_the_relay",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                func=f"""
                    IF NOT pg_try_advisory_xact_lock_shared({SLEEPS}) THEN
                        PERFORM pg_notify('{CHANNEL}', '');
                    END IF;
                    RETURN NULL;
                """,
            )
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.name} {self.subject}"

    @property
    def public_id(self) -> str:
        return encode("evt", uuid.UUID(str(self.event)))

    def told(self) -> Told:
        return _told_by(
            self.pk, self.event, self.name, self.subject, self.payload, self.created_at, self.request_id
        )


def _told_by(
    sequence: int, event: uuid.UUID, name: str, subject: str, payload: Any, at: datetime, request: str
) -> Told:
    return Told(
        sequence=sequence,
        id=encode("evt", event),
        name=name,
        subject=subject,
        payload=json.loads(payload) if isinstance(payload, str) else payload,  # a bare cursor gives text
        happened_at=at,
        request_id=request,
    )


class OutboxDeliveryQuerySet(models.QuerySet["OutboxDelivery"]):
    def locked(self) -> "OutboxDeliveryQuerySet":
        return self.select_for_update(of=("self",)).order_by("pk")

    def waiting(self) -> "OutboxDeliveryQuerySet":
        return self.filter(delivered_at=None, dead_at=None)

    def dead(self) -> "OutboxDeliveryQuerySet":
        return self.exclude(dead_at=None)

    def lines(self, subjects: Iterable[str]) -> set[tuple[str, str]]:
        """(subscriber, subject) in which something waits."""
        return set(self.waiting().filter(subject__in=set(subjects)).values_list("subscriber", "subject"))

    def claim(
        self, now: datetime, until: datetime, limit: int, *, left_alone: Collection[str] = ()
    ) -> list["OutboxDelivery"]:
        """Lease the heads of the lines that are due, but for subscribers that are `left_alone`."""
        values: dict[str, Any] = {"now": now, "until": until, "limit": limit, "left_alone": list(left_alone)}
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM_DELIVERIES, values)
            claimed = [row[0] for row in cursor.fetchall()]
        rows = self.filter(pk__in=claimed).select_related("event").order_by("event_id")
        return list(rows) if claimed else []

    def reached(self, rows: Iterable["OutboxDelivery"]) -> int:
        reached = {"delivered_at": timezone.now(), "leased_until": None, "error": ""}
        return self.waiting().filter(pk__in=[row.pk for row in rows]).update(**reached)

    def revive(self) -> int:
        """Dead ones get all their tries again."""
        return self.dead().update(
            dead_at=None, tries=0, next_try_at=timezone.now(), leased_until=None, error=""
        )


class OutboxDelivery(models.Model):
    """One event for one subscriber that could not take it when the others did."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    event = models.ForeignKey(OutboxEvent, on_delete=models.CASCADE, related_name="deliveries")
    subscriber = models.CharField(max_length=120)
    subject = models.CharField(max_length=64)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now)
    leased_until = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    dead_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = OutboxDeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "outbox deliveries"
        permissions = [("replay_event", "Can replay dead events and notifications")]
        constraints = [
            models.UniqueConstraint(
                fields=["event", "subscriber"], name="outbox_delivery_once_per_subscriber"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(delivered_at=None, dead_at=None),
                name="outbox_delivery_due",
            ),
            models.Index(
                fields=["subject", "subscriber", "event"],
                condition=Q(delivered_at=None, dead_at=None),
                name="outbox_delivery_line",
            ),
            models.Index(fields=["dead_at"], condition=Q(dead_at__isnull=False), name="outbox_delivery_dead"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.subscriber}"

    @property
    def public_id(self) -> str:
        return encode("dlv", self.id)

    @property
    def status(self) -> str:
        return "DEAD" if self.dead_at else "DELIVERED" if self.delivered_at else "WAITING"

    def failed(self, error: str) -> None:
        """Wait longer each time; after the last try it is dead: kept, shown, no longer in its subject's way."""
        self.error, self.tries, self.leased_until = error[:300], self.tries + 1, None
        wait = wait_after(self.tries, _BACK_OFF)
        if wait is None:
            self.dead_at = timezone.now()
        else:
            self.next_try_at = timezone.now() + wait

    def put_back(self, until: timedelta) -> None:
        """Not tried after all."""
        self.leased_until, self.next_try_at = None, timezone.now() + until

    def store(self) -> None:
        """Write all that may change after creation, unless somebody else settled it meanwhile."""
        OutboxDelivery.objects.waiting().filter(pk=self.pk).update(
            error=self.error,
            tries=self.tries,
            leased_until=self.leased_until,
            dead_at=self.dead_at,
            next_try_at=self.next_try_at,
        )
