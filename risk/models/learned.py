"""What became of judged payments, and the models that learnt from it."""

from datetime import datetime
from typing import Self

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django_fsm import FSMModelMixin, transition

from ledger import identifiers
from ledger.audit import StateAudit
from ledger.fields import StateField
from risk.models.decisions import Decision
from risk.states import ChallengeKind, ModelState, OutcomeKind

_CONTENT = ("name", "version", "text", "schema", "digest", "key", "signature", "card")
_CHANGED = pgtrigger.Condition(
    " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in _CONTENT)
)


class Outcome(models.Model):
    """A payment was heard to be a fraud, or not to be one after all. Of several the last heard counts."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    decision = models.ForeignKey(Decision, on_delete=models.PROTECT, related_name="outcomes")
    subject = models.CharField(max_length=128)
    fraud = models.BooleanField()
    kind = models.CharField(max_length=7, choices=[(k, k) for k in OutcomeKind])
    source = models.CharField(max_length=80, help_text='Who says so: "dsp_…", "case_…", "rfd_…".')
    happened_at = models.DateTimeField(help_text="When the payment was judged.")
    known_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["subject", "known_at"], name="risk_outcome_subject"),
            models.Index(fields=["known_at"], name="risk_outcome_known"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["source", "fraud"], name="risk_outcome_once"),
            models.CheckConstraint(
                condition=Q(kind__in=[str(k) for k in OutcomeKind]), name="risk_outcome_kind"
            ),
            models.CheckConstraint(
                condition=Q(known_at__gte=F("happened_at")), name="risk_outcome_known_after"
            ),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.subject} {'fraud' if self.fraud else 'honest'}"


class Proof(models.Model):
    """A challenge about a payment ended: whoever was asked proved to be the one, or failed to. It is no verdict."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    decision = models.ForeignKey(Decision, on_delete=models.PROTECT, related_name="proofs")
    subject = models.CharField(max_length=128)
    kind = models.CharField(max_length=14, choices=[(k, k) for k in ChallengeKind])
    passed = models.BooleanField()
    source = models.CharField(max_length=80, unique=True, help_text='Which challenge: "chl_…", "att_…".')
    happened_at = models.DateTimeField(help_text="When the payment was judged.")
    known_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["known_at"], name="risk_proof_known")]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=[str(k) for k in ChallengeKind]), name="risk_proof_kind"
            ),
            models.CheckConstraint(
                condition=Q(known_at__gte=F("happened_at")), name="risk_proof_known_after"
            ),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.subject} {'passed' if self.passed else 'failed'} {self.kind}"


class RiskModelQuerySet(models.QuerySet["RiskModel"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))


class RiskModel(FSMModelMixin, models.Model):
    """A trained model in LightGBM's text format, sealed. Its content never changes; one champion per name."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    name = models.SlugField(max_length=40)
    version = models.PositiveIntegerField()
    state = StateField(default=ModelState.CHALLENGER, choices=[(s, s) for s in ModelState], protected=True)
    text = models.TextField()
    schema = models.JSONField(help_text="Ordered: each signal's name and group.")
    digest = models.CharField(max_length=64)
    key = models.CharField(max_length=8)
    signature = models.CharField(max_length=64)
    card = models.JSONField(help_text="What it learnt from, how it did, and what it must not be used for.")
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=80)
    crowned_at = models.DateTimeField(null=True, help_text="When it last became the champion.")

    objects = RiskModelQuerySet.as_manager()

    class Meta:
        verbose_name = "model"
        permissions = [("crown_riskmodel", "Can make a model the champion")]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="risk_model_version"),
            models.UniqueConstraint(
                fields=["name"], condition=Q(state=ModelState.CHAMPION), name="risk_model_one_champion"
            ),
            models.CheckConstraint(
                condition=Q(state__in=[str(s) for s in ModelState]), name="risk_model_state"
            ),
        ]
        triggers = [
            StateAudit("mdl"),
            pgtrigger.Protect(name="frozen", operation=pgtrigger.Update, condition=_CHANGED),
            pgtrigger.Protect(name="kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def public_id(self) -> str:
        return identifiers.encode("mdl", self.id)

    @transition(field=state, source=[ModelState.CHALLENGER, ModelState.RETIRED], target=ModelState.CHAMPION)
    def crown(self, at: datetime) -> None:
        """The one that policies should name; the champion before is retired first, in the same transaction."""
        self.crowned_at = at

    @transition(field=state, source=[ModelState.CHALLENGER, ModelState.CHAMPION], target=ModelState.RETIRED)
    def retire(self) -> None:
        """Recommended no more; policies that name it go on, and it may be crowned again."""
