"""Rules and thresholds under one version, and who let which decide."""

from typing import Self

import pgtrigger
from django.db import connection, models
from django.db.models import F, Q
from django.utils import timezone
from django_fsm import FSMModelMixin, transition

from ledger import identifiers
from ledger.audit import StateAudit
from ledger.fields import StateField
from risk.states import PolicyState

_SWITCHING = 726_231_950  # one at a time changes what decides
_CONTENT = ("name", "version", "rules", "thresholds", "limits", "rates", "model")
_CHANGED_AFTER_DRAFT = pgtrigger.Condition(
    "OLD.state <> 'DRAFT' AND ("
    + " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in _CONTENT)
    + ")"
)


class PolicyQuerySet(models.QuerySet["Policy"]):
    def lock_switching(self) -> None:
        """Nobody else changes what decides until the transaction ends; what is read from now on is the latest."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_SWITCHING])

    def named(self, policy: str) -> Self:
        """The one called "name@version", or none."""
        name, _, version = policy.rpartition("@")
        number = int(version) if version.isdecimal() and len(version) < 9 else 0
        return self.filter(name=name, version=number)

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
    state = StateField(default=PolicyState.DRAFT, choices=[(s, s) for s in PolicyState], protected=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=80)
    activated_by = models.CharField(
        max_length=80, blank=True, db_default="", help_text="The second person; empty before."
    )

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
            models.CheckConstraint(
                condition=Q(activated_by="") | ~Q(activated_by=F("created_by")), name="risk_policy_on_by_two"
            ),
        ]
        permissions = [
            ("draft_policy", "Can draft policies and test them on stored decisions"),
            ("switch_policy", "Can let policies judge along, decide for a share, and decide"),
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
    def activate(self, *, actor: str = "") -> None:
        """Decide from now on; the active one is retired first, in the same transaction.

        `actor` is the second person; without one the policy returns, which two have seen before.
        """
        self.activated_by = actor or self.activated_by

    @transition(field=state, source=[PolicyState.DRAFT, PolicyState.RETIRED], target=PolicyState.SHADOW)
    def shadow(self) -> None:
        """Judge along, without effect."""

    @transition(field=state, source=[PolicyState.ACTIVE, PolicyState.SHADOW], target=PolicyState.RETIRED)
    def retire(self) -> None:
        """Decide no more; it may be activated again."""

    def store(self) -> None:
        self.save(update_fields=["state", "activated_by"])


class PolicySwitch(models.Model):
    """One change of what decides, so that the way back is known. `returned` went back rather than on."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="switches")
    replaced = models.ForeignKey(
        Policy, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    returned = models.BooleanField(default=False)
    actor = models.CharField(max_length=80)
    reason = models.CharField(max_length=500)
    waived = models.CharField(
        max_length=500,
        blank=True,
        default="",
        db_default="",
        help_text="Why, although something expected fails.",
    )
    happened_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "policy switches"
        default_permissions = ()
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.policy_id} for {self.replaced_id}"
