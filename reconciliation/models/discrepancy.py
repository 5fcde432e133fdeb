"""Where the provider's word and our books differ."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django_fsm import FSMModelMixin, transition

from ledger import identifiers
from ledger.audit import StateAudit
from ledger.fields import StateField
from reconciliation.errors import DiscrepancyClosed, DiscrepancyNotFound, NotUnderInvestigation
from reconciliation.models.open_item import OpenItem
from reconciliation.models.statement import LIVE, StatementFile
from reconciliation.states import CLOSED, DiscrepancyKind, DiscrepancyState, Side

_STATES = [state.value for state in DiscrepancyState]
_CLOSED = sorted(state.value for state in CLOSED)


class DiscrepancyQuerySet(models.QuerySet["Discrepancy"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))

    def taken_up(self, public_id: str) -> "Discrepancy":
        """The open discrepancy "dis_…", locked. Raises `DiscrepancyNotFound`, `DiscrepancyClosed`."""
        row = self.at_hand(public_id)
        row.must_be_open()
        return row

    def named(self, public_id: str) -> Self:
        """Raises `DiscrepancyNotFound` for what is no identifier of one."""
        return self.filter(pk=key_of(public_id))

    def at_hand(self, public_id: str) -> "Discrepancy":
        """The discrepancy "dis_…", locked, whatever became of it. Raises `DiscrepancyNotFound`."""
        row = self.locked().named(public_id).first()
        if row is None:
            raise DiscrepancyNotFound("there is no such discrepancy", param="discrepancy")
        return row

    def with_items(self, key: UUID, items: Iterable[UUID]) -> list["Discrepancy"]:
        """The one of this key and those of these open items, locked in one order; the first one comes first."""
        rows = list(self.locked().filter(Q(pk=key) | Q(open_item__in=list(items))))
        return sorted(rows, key=lambda row: row.pk != key)

    def unclosed(self) -> Self:
        return self.exclude(state__in=_CLOSED)

    def explain_open(self, *, actor: str, reason: str, at: datetime) -> int:
        """Resolve all of these that are open and that nobody did anything about; one statement."""
        untouched = self.filter(repairs=None).unclosed()
        return untouched.update(
            state=DiscrepancyState.RESOLVED.value, closed_by=actor, closed_at=at, reason=reason[:500]
        )

    def unexplained_again(self) -> int:
        """What a file had explained that counts no more. What people closed stays closed."""
        closed = self.filter(state=DiscrepancyState.RESOLVED.value, closed_by="system")
        return closed.update(state=DiscrepancyState.OPEN.value, closed_by="", closed_at=None, reason="")

    def told_anew(self, file: StatementFile) -> Self:
        """What other files said, or lacked, of movements of ours of which this one says that they are not done."""
        items = self.filter(file=file, open_item__side=Side.OURS.value, open_item__cleared_at=None)
        items = items.exclude(kind=DiscrepancyKind.MISSING_THERE.value)
        others = self.exclude(pk__in=items.values("pk")).filter(Q(file=file) | Q(file__state__in=LIVE))
        return others.filter(open_item__in=items.values("open_item"))

    def still_missing(self, before: StatementFile, now: StatementFile) -> int:
        """What is ours and missing in a file is missing in the one that corrects it, too, when nothing cleared it."""
        ours = {"open_item__side": Side.OURS.value, "open_item__cleared_at": None}
        missing = self.filter(file=before, kind=DiscrepancyKind.MISSING_THERE.value, **ours)
        return missing.update(file=now, times_seen=F("times_seen") + 1, last_seen_at=Now())

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
    """`amount` and `currency` are ours, `told_…` theirs; the amount at risk is in our currency.

    What a statement brought to light names its `file` and `line` there (0 where theirs has none), and shows both sides
    as small JSON (`ours`, `theirs`); one that the other side has nothing of has an empty `told_currency` or no `ours`.
    Fees are thousandths of a minor unit, and so is nothing else.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    state = StateField(
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
    file = models.ForeignKey(StatementFile, on_delete=models.PROTECT, null=True, related_name="discrepancies")
    line = models.IntegerField(default=0, db_default=0)
    line_kind = models.CharField(max_length=20, blank=True, default="", db_default="")
    their_reference = models.CharField(max_length=100, blank=True, default="", db_default="")
    their_state = models.CharField(max_length=20, blank=True, default="", db_default="")
    fee = models.BigIntegerField(default=0, db_default=0)
    told_fee = models.BigIntegerField(default=0, db_default=0)
    happened_at = models.DateTimeField(null=True)
    ours = models.JSONField(null=True)
    theirs = models.JSONField(null=True)
    open_item = models.ForeignKey(
        OpenItem, on_delete=models.PROTECT, null=True, related_name="discrepancies", db_index=False
    )

    objects = DiscrepancyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "discrepancies"
        permissions = [("decide_discrepancy", "Can investigate and close discrepancies")]
        indexes = [
            models.Index(
                fields=["first_seen_at"], condition=~Q(state__in=_CLOSED), name="reconciliation_work_queue"
            ),
            models.Index(
                fields=["-amount_at_risk", "first_seen_at"],
                condition=~Q(state__in=_CLOSED),
                name="reconciliation_by_risk",
            ),
            models.Index(
                fields=["open_item"],
                condition=Q(open_item__isnull=False),
                name="reconciliation_dis_of_item",
            ),
            models.Index(fields=["subject"], name="reconciliation_dis_subject"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "subject", "kind", "amount", "currency", "told_amount", "told_currency"],
                condition=Q(file=None),
                name="reconciliation_discrepancy_once",
            ),
            models.UniqueConstraint(
                fields=["file", "line", "kind", "line_kind", "subject", "open_item"],
                condition=Q(file__isnull=False),
                nulls_distinct=False,  # several parts of one payment may be missing
                name="reconciliation_once_per_line",
            ),
            models.CheckConstraint(
                condition=Q(amount_at_risk__gte=0), name="reconciliation_at_risk_not_negative"
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

    def store(self) -> None:
        """Write all that people change; the row must be locked."""
        names = "state investigator write_off_proposed_by closed_by closed_at reason"
        self.save(update_fields=names.split())

    def tell(self, *, ours: int, told: int) -> None:
        """What both say of it by now; the row must be locked."""
        self.amount, self.told_amount, self.amount_at_risk = ours, told, abs(ours - told)
        self.save(update_fields=["amount", "told_amount", "amount_at_risk"])

    def must_be_open(self) -> None:
        """Raises `DiscrepancyClosed`."""
        if self.state in CLOSED:
            raise DiscrepancyClosed(f"{self.closed_by} closed this discrepancy: {self.state}")

    def must_be_under_investigation(self) -> None:
        """Raises `NotUnderInvestigation`."""
        if self.state != DiscrepancyState.INVESTIGATING:
            raise NotUnderInvestigation("take up the investigation first")

    @transition(field=state, source=DiscrepancyState.OPEN.value, target=DiscrepancyState.INVESTIGATING.value)
    def investigate(self, *, actor: str) -> None:
        self.investigator = actor

    def hand_over(self, *, actor: str) -> None:
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

    @transition(field=state, source=_STATES, target=DiscrepancyState.RESOLVED.value)
    def explain(self, *, actor: str, reason: str, at: datetime) -> None:
        """The provider's own word settled it, whatever people had made of it so far."""
        self.closed_by, self.closed_at, self.reason = actor, at, reason[:500]

    @transition(field=state, source=_CLOSED, target=DiscrepancyState.INVESTIGATING.value)
    def reopen(self, *, actor: str) -> None:
        """What closed it was undone."""
        self.investigator = self.investigator or actor
        self.write_off_proposed_by = self.closed_by = self.reason = ""
        self.closed_at = None
