"""Rules and thresholds under one version."""

from typing import Self

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django_fsm import FSMField, FSMModelMixin, transition

from ledger import identifiers
from ledger.audit import StateAudit
from risk.states import PolicyState

_CONTENT = ("name", "version", "rules", "thresholds", "limits", "rates", "model")
_CHANGED_AFTER_DRAFT = pgtrigger.Condition(
    "OLD.state <> 'DRAFT' AND ("
    + " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in _CONTENT)
    + ")"
)


class PolicyQuerySet(models.QuerySet["Policy"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))


class Policy(FSMModelMixin, models.Model):
    """Frozen once it has left DRAFT, so that its decisions replay. Exactly one decides at a time."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    name = models.SlugField(max_length=40)
    version = models.PositiveIntegerField()
    rules = models.JSONField()
    thresholds = models.JSONField()
    limits = models.JSONField()
    rates = models.JSONField()
    model = models.JSONField(default=dict, db_default={}, blank=True, help_text="Empty for none.")
    note = models.TextField(blank=True)
    state = FSMField(default=PolicyState.DRAFT, choices=[(s, s) for s in PolicyState], protected=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=80)

    objects = PolicyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "policies"
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="risk_policy_version"),
            models.UniqueConstraint(
                fields=["state"], condition=Q(state=PolicyState.ACTIVE), name="risk_policy_one_active"
            ),
            models.CheckConstraint(
                condition=Q(state__in=[str(s) for s in PolicyState]), name="risk_policy_state"
            ),
        ]
        triggers = [
            StateAudit("pol"),
            pgtrigger.Protect(name="frozen", operation=pgtrigger.Update, condition=_CHANGED_AFTER_DRAFT),
            pgtrigger.Protect(
                name="kept", operation=pgtrigger.Delete, condition=pgtrigger.Condition("OLD.state <> 'DRAFT'")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def public_id(self) -> str:
        return identifiers.encode("pol", self.id)

    @transition(
        field=state,
        source=[PolicyState.DRAFT, PolicyState.SHADOW, PolicyState.RETIRED],
        target=PolicyState.ACTIVE,
    )
    def activate(self) -> None:
        """Decide from now on; the active one is retired first, in the same transaction."""

    @transition(field=state, source=[PolicyState.DRAFT, PolicyState.RETIRED], target=PolicyState.SHADOW)
    def shadow(self) -> None:
        """Judge along, without effect."""

    @transition(field=state, source=[PolicyState.ACTIVE, PolicyState.SHADOW], target=PolicyState.RETIRED)
    def retire(self) -> None:
        """Decide no more; it may be activated again."""
