"""What resolves itself: rules as data, written by one person and switched on by another."""

from typing import Self

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django_fsm import FSMModelMixin, transition

from ledger import identifiers
from ledger.audit import StateAudit
from ledger.fields import StateField
from reconciliation.errors import ResolveRuleNotFound
from reconciliation.states import DiscrepancyKind, RepairKind, ResolveRuleState

S = ResolveRuleState
_CONTENT = ("name", "version", "channel", "kind", "action", "currency", "max_amount", "fee_tolerance")
_CHANGED_AFTER_DRAFT = pgtrigger.Condition(
    "OLD.state <> 'DRAFT' AND ("
    + " OR ".join(
        f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in (*_CONTENT, "min_age_days", "created_by")
    )
    + ")"
)


class ResolveRuleQuerySet(models.QuerySet["ResolveRule"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))

    def active(self) -> Self:
        """In the order in which they are tried."""
        return self.filter(state=S.ACTIVE.value).order_by("name")

    def named(self, name: str) -> Self:
        """Of "name@version". Raises `ResolveRuleNotFound` when there is none."""
        head, _, version = name.rpartition("@")
        number = int(version) if version.isdecimal() and len(version) < 9 else 0
        found = self.filter(name=head, version=number)
        if not found.exists():
            raise ResolveRuleNotFound(f"There is no rule {name[:60]}.", param="rule")
        return found


class ResolveRule(FSMModelMixin, models.Model):
    """Of open discrepancies of this `kind` (and `channel`, unless "") with at most `max_amount` at risk, `min_age_days`
    old or older, it has the repair `action` done. `fee_tolerance`, in thousandths of a minor unit, bounds how far fees
    may lie apart. Frozen once it has left DRAFT, so that what it did can be understood.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    name = models.SlugField(max_length=40)
    version = models.PositiveIntegerField()
    state = StateField(default=S.DRAFT.value, choices=[(s.value, s.value) for s in S], protected=True)
    channel = models.CharField(max_length=20, blank=True)
    kind = models.CharField(max_length=20, choices=[(kind.value, kind.value) for kind in DiscrepancyKind])
    action = models.CharField(max_length=20, choices=[(kind.value, kind.value) for kind in RepairKind])
    currency = models.CharField(max_length=3)
    max_amount = models.BigIntegerField()
    fee_tolerance = models.BigIntegerField(null=True)
    min_age_days = models.PositiveSmallIntegerField(default=0)
    note = models.CharField(max_length=300)
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(db_default=Now())
    activated_by = models.CharField(max_length=80, blank=True)

    objects = ResolveRuleQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        permissions = [
            ("manage_resolverule", "Can write rules that resolve discrepancies, and switch them on")
        ]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="reconciliation_rule_version"),
            models.UniqueConstraint(
                fields=["name"], condition=Q(state=S.ACTIVE.value), name="reconciliation_rule_one_active"
            ),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in S]), name="reconciliation_rule_state"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in DiscrepancyKind]),
                name="reconciliation_rule_kind",
            ),
            models.CheckConstraint(
                condition=Q(max_amount__gte=0) & (Q(fee_tolerance=None) | Q(fee_tolerance__gte=0)),
                name="reconciliation_rule_bounds",
            ),
            models.CheckConstraint(
                condition=Q(state=S.DRAFT.value) | (~Q(activated_by="") & ~Q(activated_by=F("created_by"))),
                name="reconciliation_rule_on_by_two",
            ),
        ]
        triggers = [
            StateAudit("rsr"),
            pgtrigger.Protect(name="frozen", operation=pgtrigger.Update, condition=_CHANGED_AFTER_DRAFT),
            pgtrigger.Protect(
                name="kept", operation=pgtrigger.Delete, condition=pgtrigger.Condition("OLD.state <> 'DRAFT'")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def public_id(self) -> str:
        return identifiers.encode("rsr", self.id)

    @property
    def actor(self) -> str:
        """Who did what it did."""
        return f"rule:{self.name}:{self.version}"

    def store(self) -> None:
        """Write all that may change after creation; the row must be locked."""
        self.save(update_fields=["state", "activated_by"])

    @transition(field=state, source=[S.DRAFT.value, S.RETIRED.value], target=S.ACTIVE.value)
    def activate(self, *, actor: str) -> None:
        self.activated_by = actor

    @transition(field=state, source=S.ACTIVE.value, target=S.RETIRED.value)
    def retire(self) -> None:
        """It resolves nothing any more; what it did stays."""
