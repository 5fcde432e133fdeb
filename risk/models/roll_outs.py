"""A policy that decides for a share of the customers, until it wins, is ended, or has cost too much."""

from datetime import datetime
from typing import Self

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django_fsm import FSMModelMixin, transition

from ledger import identifiers
from ledger.audit import StateAudit
from ledger.fields import StateField
from risk.models.policies import Policy
from risk.states import RollOutState


class RollOutQuerySet(models.QuerySet["RollOut"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))

    def running(self) -> Self:
        return self.filter(state=RollOutState.RUNNING.value)


class RollOut(FSMModelMixin, models.Model):
    """`share` is in hundredths of a per cent of the customers; `budget` counts false positives."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="roll_outs")
    share = models.PositiveIntegerField()
    budget = models.PositiveIntegerField()
    state = StateField(
        default=RollOutState.RUNNING, choices=[(s.value, s.value) for s in RollOutState], protected=True
    )
    started_at = models.DateTimeField(default=timezone.now)
    started_by = models.CharField(max_length=80)
    decided = models.PositiveIntegerField(default=0)
    false_positives = models.PositiveIntegerField(default=0)
    measured_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=80, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    waived = models.CharField(max_length=500, blank=True, default="", db_default="")

    objects = RollOutQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state=RollOutState.RUNNING.value), name="risk_roll_out_one_runs"
            ),
            models.CheckConstraint(
                condition=Q(share__gte=1, share__lte=10_000) & Q(budget__gte=1), name="risk_roll_out_bounds"
            ),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in RollOutState]), name="risk_roll_out_state"
            ),
            models.CheckConstraint(
                condition=Q(state=RollOutState.RUNNING.value, ended_at=None)
                | (~Q(state=RollOutState.RUNNING.value) & Q(ended_at__isnull=False)),
                name="risk_roll_out_ended_with_time",
            ),
        ]
        triggers = [
            StateAudit("rol"),
            pgtrigger.Protect(
                name="frozen",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.policy_id <> NEW.policy_id OR OLD.share <> NEW.share OR OLD.budget <> NEW.budget"
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return identifiers.encode("rol", self.id)

    @transition(field=state, source=RollOutState.RUNNING.value, target=RollOutState.FINISHED.value)
    def finish(self, *, actor: str, reason: str, at: datetime) -> None:
        self.ended_by, self.reason, self.ended_at = actor, reason[:500], at

    @transition(field=state, source=RollOutState.RUNNING.value, target=RollOutState.STOPPED.value)
    def stop(self, *, reason: str, at: datetime) -> None:
        self.ended_by, self.reason, self.ended_at = "system", reason[:500], at

    def measure(self, *, decided: int, false_positives: int, at: datetime) -> None:
        self.decided, self.false_positives, self.measured_at = decided, false_positives, at
        self.save(update_fields=["decided", "false_positives", "measured_at"])

    def store(self) -> None:
        self.save(update_fields=["state", "ended_by", "reason", "ended_at"])
