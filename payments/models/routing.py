"""Which channel gets which payment, as data: policies under versions, and the switch of each channel."""

from typing import Self

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django_fsm import FSMModelMixin, transition

from ledger import identifiers
from ledger.audit import StateAudit
from ledger.fields import StateField
from payments.states import RoutingPolicyState as S

_CONTENT = ("name", "version", "rules", "points", "created_by")
_CHANGED_AFTER_DRAFT = pgtrigger.Condition(
    "OLD.state <> 'DRAFT' AND ("
    + " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in _CONTENT)
    + ")"
)


class RoutingPolicyQuerySet(models.QuerySet["RoutingPolicy"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))


class RoutingPolicy(FSMModelMixin, models.Model):
    """Frozen once it has left DRAFT, so that its routes replay. At most one decides; without one, the settings do."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    name = models.SlugField(max_length=40)
    version = models.PositiveIntegerField()
    rules = models.JSONField()
    points = models.JSONField()
    note = models.TextField(blank=True)
    state = StateField(default=S.DRAFT, choices=[(s, s) for s in S], protected=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=80)
    activated_by = models.CharField(max_length=80, blank=True)

    objects = RoutingPolicyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "routing policies"
        permissions = [("switch_channel", "Can switch channels and activate routing policies")]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="routing_policy_version"),
            models.UniqueConstraint(
                fields=["state"], condition=Q(state=S.ACTIVE), name="routing_policy_one_active"
            ),
            models.CheckConstraint(condition=Q(state__in=[str(s) for s in S]), name="routing_policy_state"),
        ]
        triggers = [
            StateAudit("rtp"),
            pgtrigger.Protect(name="frozen", operation=pgtrigger.Update, condition=_CHANGED_AFTER_DRAFT),
            pgtrigger.Protect(
                name="kept", operation=pgtrigger.Delete, condition=pgtrigger.Condition("OLD.state <> 'DRAFT'")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    def store(self) -> None:
        """Write all that may change after creation; the row must be locked."""
        self.save(update_fields=["state", "activated_by"])

    @property
    def public_id(self) -> str:
        return identifiers.encode("rtp", self.id)

    @transition(field=state, source=[S.DRAFT, S.RETIRED], target=S.ACTIVE)
    def activate(self, by: str) -> None:
        """Decide from now on; the active one is retired first, in the same transaction."""
        self.activated_by = by

    @transition(field=state, source=S.ACTIVE, target=S.RETIRED)
    def retire(self) -> None:
        """Decide no more; it may be activated again."""


class ChannelSwitchQuerySet(models.QuerySet["ChannelSwitch"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))


class ChannelSwitch(models.Model):
    """What people set about a channel, for one method or ("") for all; the one of the method says more.

    `bounds` is currency to {"least", "most"} in minor units, `fees` is {"bps", "fixed": {currency: minor units}}.
    The audit journal keeps what was set before, by whom and why.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    channel = models.CharField(max_length=20)
    method = models.CharField(max_length=20, blank=True)
    on = models.BooleanField(default=True)
    weight = models.PositiveIntegerField(null=True)
    currencies = models.JSONField(default=list)
    countries = models.JSONField(default=list)
    bounds = models.JSONField(default=dict)
    fees = models.JSONField(default=dict)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.CharField(max_length=80)

    objects = ChannelSwitchQuerySet.as_manager()

    class Meta:
        ordering = ["channel", "method"]
        verbose_name_plural = "channel switches"
        constraints = [
            models.UniqueConstraint(fields=["channel", "method"], name="channel_switch_one"),
            models.CheckConstraint(
                condition=Q(weight__isnull=True) | Q(weight__lte=1000), name="channel_switch_weight"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.method or 'all'}"

    @property
    def public_id(self) -> str:
        return identifiers.encode("chs", self.id)

    def says(self) -> dict[str, object]:
        """What is set, as the audit journal keeps it."""
        return {name: getattr(self, name) for name in (*SETTABLE, "channel", "method")}


SETTABLE = ("on", "weight", "currencies", "countries", "bounds", "fees")
