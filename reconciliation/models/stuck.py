"""Where orders and money differ, and what people said of stuck money."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from ledger import identifiers
from reconciliation.states import SightingKind


class SightingQuerySet(models.QuerySet["Sighting"]):
    def sight(self, rows: list["Sighting"]) -> None:
        """What was seen before stays as it is: since when matters."""
        self.bulk_create(rows, ignore_conflicts=True)


class Sighting(models.Model):
    """An order and money that do not belong together, seen when the two were compared; gone when they do.

    `subject` is the payment, or the order that has none. To compare them takes two apps' tables, so what is found is
    kept: the list of what is stuck reads a few rows.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    kind = models.CharField(max_length=30, choices=[(kind.value, kind.value) for kind in SightingKind])
    subject = models.CharField(max_length=80)
    reference = models.CharField(max_length=100)
    payment = models.CharField(max_length=80, blank=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    first_seen_at = models.DateTimeField(db_default=Now())

    objects = SightingQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["kind", "first_seen_at"], name="reconciliation_sighting_list")]
        constraints = [
            models.UniqueConstraint(fields=["subject"], name="reconciliation_sighting_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="reconciliation_sighting_amount"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class StuckNoteQuerySet(models.QuerySet["StuckNote"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))

    def of(self, kind: str, subject: str) -> "StuckNote":
        """The note of this item, locked; made when there is none."""
        self.bulk_create([self.model(kind=kind, subject=subject)], ignore_conflicts=True)
        return self.locked().get(kind=kind, subject=subject)

    def raise_level(self, kind: str, subject: str, level: int) -> bool:
        """Whether nobody was told of the item at this level before: one caller is told so."""
        self.bulk_create([self.model(kind=kind, subject=subject)], ignore_conflicts=True)
        lower = self.filter(kind=kind, subject=subject, alarm_level__lt=level)
        return bool(lower.update(alarm_level=level))


class StuckNote(models.Model):
    """What is remembered of a stuck item as long as it is stuck: who has seen it, and how loudly it was told."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=80)
    alarm_level = models.PositiveSmallIntegerField(default=0)
    snoozed_until = models.DateTimeField(null=True)
    snoozed_by_whom = models.CharField(max_length=80, blank=True)
    reason = models.CharField(max_length=500, blank=True)

    objects = StuckNoteQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        permissions = [
            ("see_stuck", "Can see what money is stuck"),
            ("repair_stuck", "Can repair it where no money is moved"),
            ("repair_stuck_money", "Can repair it where money is moved"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["kind", "subject"], name="reconciliation_note_once"),
            models.CheckConstraint(
                condition=Q(snoozed_until=None) | (~Q(snoozed_by_whom="") & ~Q(reason="")),
                name="reconciliation_snoozed_by_someone",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"

    def snooze(self, *, until: datetime, actor: str, reason: str) -> None:
        self.snoozed_until, self.snoozed_by_whom, self.reason = until, actor, reason[:500]
        self.save(update_fields=["snoozed_until", "snoozed_by_whom", "reason"])
