"""Payments that wait for a person."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django_fsm import FSMModelMixin, transition

from ledger import identifiers
from ledger.audit import StateAudit
from ledger.fields import StateField
from risk.models.decisions import Decision
from risk.states import LIVE_CASE, CaseKind, CaseState

_LIVE = [str(state) for state in CaseState if state in LIVE_CASE]


class RiskCaseQuerySet(models.QuerySet["RiskCase"]):
    def locked(self, *, skip_locked: bool = False) -> Self:
        return self.order_by("pk").select_for_update(of=("self",), skip_locked=skip_locked)

    def live(self) -> Self:
        return self.filter(state__in=_LIVE)


class RiskCase(FSMModelMixin, models.Model):
    """One decision that a person must take by `decide_by`. Only a case of kind "hold" has a payment that waits."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    decision = models.ForeignKey(Decision, on_delete=models.PROTECT, related_name="cases", db_index=False)
    subject = models.CharField(max_length=128)
    state = StateField(default=CaseState.OPEN, choices=[(s, s) for s in CaseState], protected=True)
    kind = models.CharField(
        max_length=6, choices=[(k, k) for k in CaseKind], default=CaseKind.HOLD, db_default="hold"
    )
    opened_at = models.DateTimeField()
    decide_by = models.DateTimeField()
    expected_loss = models.BigIntegerField(
        default=0, db_default=0, help_text="CNY minor units, lost on average when nobody looks."
    )
    senior = models.BooleanField(
        default=False, db_default=False, help_text="Only somebody with more authority decides."
    )
    escalated_by = models.CharField(max_length=80, blank=True, default="", db_default="")
    assignee = models.CharField(max_length=80, blank=True)
    claimed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=80, blank=True)
    closed_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True)
    respondent = models.JSONField(
        default=dict,
        db_default={},
        help_text="Who would answer a challenge, and how: keyed hashes and masked addresses; empty for nobody.",
    )

    objects = RiskCaseQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["decide_by"], condition=Q(state__in=_LIVE), name="risk_case_queue"),
            models.Index(fields=["subject"], name="risk_case_subject"),
            models.Index(
                fields=["-closed_at"], condition=Q(closed_at__isnull=False), name="risk_case_closed"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "kind"], condition=Q(state__in=_LIVE), name="risk_case_one_live"
            ),
            models.UniqueConstraint(fields=["decision", "kind"], name="risk_case_once_a_decision"),
            models.CheckConstraint(condition=Q(kind__in=[str(k) for k in CaseKind]), name="risk_case_kind"),
            models.CheckConstraint(
                condition=Q(state__in=[str(s) for s in CaseState]), name="risk_case_state"
            ),
            models.CheckConstraint(
                condition=Q(state__in=_LIVE, closed_at=None)
                | (~Q(state__in=_LIVE) & Q(closed_at__isnull=False)),
                name="risk_case_closed_with_time",
            ),
            models.CheckConstraint(
                condition=~Q(state=CaseState.ASSIGNED) | ~Q(assignee=""),
                name="risk_case_assigned_to_somebody",
            ),
        ]
        permissions = [
            ("claim_riskcase", "Can claim and escalate risk cases"),
            ("decide_riskcase", "Can approve, reject and challenge risk cases"),
            ("decide_escalated_riskcase", "Can decide risk cases that were escalated"),
        ]
        triggers = [StateAudit("case")]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return identifiers.encode("case", self.id)

    @transition(field=state, source=[CaseState.OPEN, CaseState.ESCALATED], target=CaseState.ASSIGNED)
    def claim(self, *, actor: str, at: datetime) -> None:
        self.assignee, self.claimed_at = actor, at

    @transition(field=state, source=[CaseState.OPEN, CaseState.ASSIGNED], target=CaseState.ESCALATED)
    def escalate(self, *, actor: str, reason: str) -> None:
        """Somebody with more authority decides; whoever held it lets go."""
        self.assignee, self.claimed_at, self.reason = "", None, reason[:500]
        self.senior, self.escalated_by = True, actor

    @transition(field=state, source=_LIVE, target=CaseState.APPROVED)
    def approve(self, *, actor: str, reason: str, at: datetime) -> None:
        self._close(actor, reason, at)

    @transition(field=state, source=_LIVE, target=CaseState.REJECTED)
    def reject(self, *, actor: str, reason: str, at: datetime) -> None:
        self._close(actor, reason, at)

    @transition(field=state, source=_LIVE, target=CaseState.CHALLENGED)
    def challenge(self, *, actor: str, reason: str, at: datetime) -> None:
        """No verdict: the payment goes on or ends as the customer answers."""
        self._close(actor, reason, at)

    @transition(field=state, source=_LIVE, target=CaseState.EXPIRED)
    def expire(self, *, reason: str, at: datetime) -> None:
        self._close("system", reason, at)

    def _close(self, actor: str, reason: str, at: datetime) -> None:
        self.closed_by, self.reason, self.closed_at = actor, reason[:500], at
