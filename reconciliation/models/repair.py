"""What was done about discrepancies: one row for each repair, the trace of who, why and what it posted."""

from datetime import date, datetime
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django_fsm import FSMModelMixin, transition

from ledger import identifiers
from ledger.audit import StateAudit
from ledger.fields import StateField
from reconciliation.errors import RepairNotFound
from reconciliation.models.discrepancy import Discrepancy
from reconciliation.models.open_item import OpenItem
from reconciliation.models.resolve_rule import ResolveRule
from reconciliation.states import RepairKind, Rest
from reconciliation.states import RepairState as S

UNDER_WAY = [S.WAITING.value, S.STARTED.value]
_BY_TWO = ~Q(approved_by="") & ~Q(approved_by=F("proposed_by"))


class RepairQuerySet(models.QuerySet["Repair"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))

    def by_public_id(self, public_id: str) -> "Repair":
        """Raises `RepairNotFound`."""
        try:
            row = self.filter(pk=identifiers.decode("rpr", public_id)).first()
        except identifiers.MalformedIdentifier:
            row = None
        if row is None:
            raise RepairNotFound("there is no such repair", param="repair")
        return row

    def under_way(self) -> Self:
        return self.filter(state__in=UNDER_WAY)

    def waiting(self) -> Self:
        """For a second person; the largest first, currency by currency."""
        return self.filter(state=S.WAITING.value).order_by("currency", "-amount", "pk")

    def standing(self) -> Self:
        """Done and not undone, newest first."""
        return self.filter(state=S.DONE.value).order_by("-done_at", "-pk")


class Repair(FSMModelMixin, models.Model):
    """`amount` is what it moves in the books, or what it gives an answer about. `posting_key` is what it posted under,
    `posted` the transaction (txn_…); both "" where it posts nothing. `movement` is what payments did for it (ref_…).
    `rest` is where a forced match puts what its sums lie apart.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    discrepancy = models.ForeignKey(
        Discrepancy, on_delete=models.PROTECT, related_name="repairs", db_index=False
    )
    kind = models.CharField(max_length=20, choices=[(kind.value, kind.value) for kind in RepairKind])
    state = StateField(choices=[(s.value, s.value) for s in S], protected=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    words = models.CharField(max_length=500)
    reason = models.CharField(max_length=500)
    rest = models.CharField(max_length=20, blank=True, choices=[(rest.value, rest.value) for rest in Rest])
    posting_key = models.CharField(max_length=100, blank=True)
    posted = models.CharField(max_length=40, blank=True)
    movement = models.CharField(max_length=40, blank=True)
    needs_second = models.BooleanField()
    proposed_by = models.CharField(max_length=80)
    proposed_at = models.DateTimeField(db_default=Now())
    approved_by = models.CharField(max_length=80, blank=True)
    done_at = models.DateTimeField(null=True)
    waits_on = models.DateField(null=True)
    rule = models.ForeignKey(ResolveRule, on_delete=models.PROTECT, null=True, related_name="repairs")
    undone_by_whom = models.CharField(max_length=80, blank=True)
    undone_at = models.DateTimeField(null=True)
    undo_reason = models.CharField(max_length=500, blank=True)

    objects = RepairQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        permissions = [("approve_repair", "Can approve repairs that others propose")]
        triggers = [StateAudit("rpr")]
        indexes = [
            models.Index(fields=["discrepancy"], name="reconciliation_repairs_of"),
            models.Index(
                fields=["currency", "-amount"],
                condition=Q(state=S.WAITING.value),
                name="reconciliation_repairs_waiting",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["discrepancy"], condition=Q(state__in=UNDER_WAY), name="reconciliation_one_under_way"
            ),
            models.UniqueConstraint(
                fields=["posting_key"], condition=~Q(posting_key=""), name="reconciliation_repair_key"
            ),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in S]), name="reconciliation_repair_state"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in RepairKind]), name="reconciliation_repair_kind"
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=0) & ~Q(reason="") & ~Q(proposed_by=""),
                name="reconciliation_repair_explained",
            ),
            models.CheckConstraint(
                condition=Q(needs_second=False) | ~Q(state__in=[S.DONE.value, S.UNDONE.value]) | _BY_TWO,
                name="reconciliation_repaired_by_two",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[S.DONE.value, S.UNDONE.value]) | Q(done_at__isnull=False),
                name="reconciliation_repair_done_at",
            ),
            models.CheckConstraint(
                condition=~Q(state=S.UNDONE.value)
                | (Q(undone_at__isnull=False) & ~Q(undone_by_whom="") & ~Q(undo_reason="")),
                name="reconciliation_undone_by_someone",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.public_id}"

    @property
    def public_id(self) -> str:
        return identifiers.encode("rpr", self.id)

    def item_keys(self) -> list[UUID]:
        """The open items that it puts together, while it stands."""
        return list(self.items.filter(live=True).values_list("item", flat=True))

    def store(self) -> None:
        """Write all that may change after creation; the row, or its discrepancy, must be locked."""
        names = "state posting_key posted movement approved_by done_at waits_on undone_by_whom undone_at"
        self.save(update_fields=[*names.split(), "undo_reason"])

    def wait_until(self, day: date) -> None:
        self.waits_on = day

    @transition(field=state, source=S.WAITING.value, target=S.STARTED.value)
    def approve(self, *, actor: str) -> None:
        self.approved_by = actor

    @transition(field=state, source=S.STARTED.value, target=S.DONE.value)
    def finish(self, *, at: datetime, posting_key: str = "", posted: str = "", movement: str = "") -> None:
        self.done_at = at
        self.posting_key, self.posted, self.movement = posting_key, posted, movement

    @transition(field=state, source=S.STARTED.value, target=S.FAILED.value)
    def fail(self, *, at: datetime, why: str) -> None:
        """Refused by those who had to do it: nothing moved."""
        self.done_at, self.undo_reason = at, why[:500]

    @transition(field=state, source=S.WAITING.value, target=S.REFUSED.value)
    def refuse(self, *, actor: str, reason: str, at: datetime) -> None:
        self.undone_by_whom, self.undo_reason, self.undone_at = actor, reason[:500], at

    @transition(field=state, source=S.DONE.value, target=S.UNDONE.value)
    def undo(self, *, actor: str, reason: str, at: datetime) -> None:
        self.undone_by_whom, self.undo_reason, self.undone_at = actor, reason[:500], at


class RepairItem(models.Model):
    """An open item that a forced match puts together with others; `live` until it is refused or undone."""

    id = models.BigAutoField(primary_key=True)
    repair = models.ForeignKey(Repair, on_delete=models.PROTECT, related_name="items")
    item = models.ForeignKey(OpenItem, on_delete=models.PROTECT, related_name="forced", db_index=False)
    live = models.BooleanField(default=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["item"], condition=Q(live=True), name="reconciliation_forced_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.repair_id} {self.item_id}"
