"""Where the provider's word and our books differ, where orders and money do, and what people said of stuck money."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django_fsm import FSMField, FSMModelMixin, transition

from ledger import identifiers
from ledger.audit import StateAudit
from reconciliation.errors import DiscrepancyClosed, DiscrepancyNotFound, NotUnderInvestigation
from reconciliation.states import CLOSED, DiscrepancyKind, DiscrepancyState, SightingKind

_STATES = [state.value for state in DiscrepancyState]
_CLOSED = sorted(state.value for state in CLOSED)


class DiscrepancyQuerySet(models.QuerySet["Discrepancy"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))

    def taken_up(self, public_id: str) -> "Discrepancy":
        """The open discrepancy "dis_…", locked. Raises `DiscrepancyNotFound`, `DiscrepancyClosed`."""
        row = self.locked().filter(pk=key_of(public_id)).first()
        if row is None:
            raise DiscrepancyNotFound("there is no such discrepancy", param="discrepancy")
        if row.state in CLOSED:
            raise DiscrepancyClosed(f"{row.closed_by} closed this discrepancy: {row.state}")
        return row

    def note(self, *, amount_at_risk: int, reference: str, source: str, **mismatch: Any) -> None:
        """Write the mismatch, or count it once more when it was seen before, whatever has become of it."""
        row = self.model(
            amount_at_risk=amount_at_risk, reference=reference, source=source, times_seen=0, **mismatch
        )
        self.bulk_create([row], ignore_conflicts=True)
        self.filter(**mismatch).update(times_seen=F("times_seen") + 1, last_seen_at=Now())


def key_of(public_id: str) -> UUID:
    """Raises `DiscrepancyNotFound`."""
    try:
        return identifiers.decode("dis", public_id)
    except identifiers.MalformedIdentifier as error:
        raise DiscrepancyNotFound("there is no such discrepancy", param="discrepancy") from error


class Discrepancy(FSMModelMixin, models.Model):
    """`amount` and `currency` are ours, `told_…` theirs; the amount at risk is in our currency."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    state = FSMField(
        default=DiscrepancyState.OPEN.value, choices=[(state, state) for state in _STATES], protected=True
    )
    kind = models.CharField(max_length=20, choices=[(kind.value, kind.value) for kind in DiscrepancyKind])
    channel = models.CharField(max_length=20)
    subject = models.CharField(max_length=80)
    reference = models.CharField(max_length=100)
    amount = models.BigIntegerField()
    amount_at_risk = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    told_amount = models.BigIntegerField()
    told_currency = models.CharField(max_length=3, blank=True)
    source = models.CharField(max_length=20)
    times_seen = models.PositiveIntegerField(default=1)
    first_seen_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())
    investigator = models.CharField(max_length=80, blank=True)
    write_off_proposed_by = models.CharField(max_length=80, blank=True)
    closed_by = models.CharField(max_length=80, blank=True)
    closed_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True)

    objects = DiscrepancyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "discrepancies"
        permissions = [("decide_discrepancy", "Can investigate and close discrepancies")]
        indexes = [
            models.Index(
                fields=["first_seen_at"], condition=~Q(state__in=_CLOSED), name="reconciliation_work_queue"
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "subject", "kind", "amount", "currency", "told_amount", "told_currency"],
                name="reconciliation_discrepancy_once",
            ),
            models.CheckConstraint(condition=Q(state__in=_STATES), name="reconciliation_discrepancy_state"),
            models.CheckConstraint(
                condition=~Q(state__in=_CLOSED)
                | (Q(closed_at__isnull=False) & ~Q(closed_by="") & ~Q(reason="")),
                name="reconciliation_closed_by_someone",
            ),
            models.CheckConstraint(
                condition=~Q(state=DiscrepancyState.WRITTEN_OFF.value)
                | (~Q(write_off_proposed_by="") & ~Q(write_off_proposed_by=F("closed_by"))),
                name="reconciliation_written_off_by_two",
            ),
        ]
        triggers = [StateAudit("dis")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"

    @property
    def public_id(self) -> str:
        return identifiers.encode("dis", self.id)

    def must_be_under_investigation(self) -> None:
        """Raises `NotUnderInvestigation`."""
        if self.state != DiscrepancyState.INVESTIGATING:
            raise NotUnderInvestigation("take up the investigation first")

    @transition(field=state, source=DiscrepancyState.OPEN.value, target=DiscrepancyState.INVESTIGATING.value)
    def investigate(self, *, actor: str) -> None:
        self.investigator = actor

    @transition(
        field=state, source=DiscrepancyState.INVESTIGATING.value, target=DiscrepancyState.RESOLVED.value
    )
    def resolve(self, *, actor: str, reason: str, at: datetime) -> None:
        self.closed_by, self.closed_at, self.reason = actor, at, reason

    def propose_write_off(self, *, actor: str, reason: str) -> None:
        self.write_off_proposed_by, self.reason = actor, reason

    @transition(
        field=state, source=DiscrepancyState.INVESTIGATING.value, target=DiscrepancyState.WRITTEN_OFF.value
    )
    def write_off(self, *, actor: str, at: datetime) -> None:
        self.closed_by, self.closed_at = actor, at


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
