"""What a language model wrote about a decision: advisory words beside it, never a part of it."""

from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django_fsm import FSMModelMixin, transition

from ledger import identifiers
from ledger.audit import StateAudit
from ledger.fields import StateField
from risk.models.decisions import Decision
from risk.states import AdviceState

MOST_TRIES = 3
_WAITING = str(AdviceState.WAITING)


class AdviceQuerySet(models.QuerySet["Advice"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))

    def claim_due(self, now: datetime, lease: timedelta) -> "Advice | None":
        """The next that is to be asked for, given to one caller; none while another's question is under way.

        One at a time: a slow model must not take the workers that payments need.
        """
        waiting = self.filter(state=_WAITING)
        if waiting.filter(asked_until__gt=now).exists():
            return None
        for row in waiting.filter(next_ask_at__lte=now).order_by("next_ask_at")[:5]:
            same = waiting.filter(pk=row.pk, next_ask_at=row.next_ask_at, tries=row.tries)
            until = now + lease
            if same.update(tries=F("tries") + 1, asked_until=until, next_ask_at=until):
                return row
        return None

    def written_for(self, digest: str, model: str) -> "Advice | None":
        """What the same model wrote about the same masked facts."""
        return self.filter(digest=digest, model=model, state=str(AdviceState.WRITTEN)).first()


class Advice(FSMModelMixin, models.Model):
    """The note on one decision. `digest` is of the masked facts that were told, `answer_digest` of what came back.

    `fault` says why there are no statements: which check the answer failed, or that there was none.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    decision = models.OneToOneField(Decision, on_delete=models.PROTECT, related_name="advice")
    state = StateField(default=AdviceState.WAITING, choices=[(s, s) for s in AdviceState], protected=True)
    model = models.CharField(max_length=80, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    answer_digest = models.CharField(max_length=64, blank=True)
    statements = models.JSONField(default=list)
    fault = models.CharField(max_length=40, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    milliseconds = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    next_ask_at = models.DateTimeField(null=True, default=timezone.now)
    asked_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = AdviceQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        verbose_name_plural = "advice"
        indexes = [
            models.Index(fields=["next_ask_at"], condition=Q(state=_WAITING), name="risk_advice_due"),
            models.Index(
                fields=["digest", "model"],
                condition=Q(state=str(AdviceState.WRITTEN)),
                name="risk_advice_known",
            ),
            models.Index(fields=["finished_at"], name="risk_advice_finished"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=[str(s) for s in AdviceState]), name="risk_advice_state"
            ),
            models.CheckConstraint(
                condition=Q(state=str(AdviceState.WRITTEN), fault="") & ~Q(statements=[])
                | ~Q(state=str(AdviceState.WRITTEN)) & Q(statements=[]),
                name="risk_advice_words_or_fault",
            ),
        ]
        triggers = [StateAudit("adv")]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return identifiers.encode("adv", self.id)

    def store(self) -> None:
        self.save(
            update_fields=[
                "state",
                "model",
                "digest",
                "answer_digest",
                "statements",
                "fault",
                "milliseconds",
                "next_ask_at",
                "asked_until",
                "finished_at",
            ]
        )

    def tell(self, *, model: str, digest: str) -> None:
        """What is asked of whom."""
        self.model, self.digest = model, digest

    def try_again(self, *, fault: str, at: datetime) -> None:
        self.fault, self.next_ask_at, self.asked_until = fault[:40], at, None

    @transition(field=state, source=AdviceState.WAITING, target=AdviceState.WRITTEN)
    def write(self, *, statements: list[dict[str, Any]], answer_digest: str, at: datetime) -> None:
        self.statements, self.answer_digest, self.fault = statements, answer_digest, ""
        self._finish(at)

    @transition(field=state, source=AdviceState.WAITING, target=AdviceState.REFUSED)
    def refuse(self, *, fault: str, answer_digest: str, at: datetime) -> None:
        """What came back fails a check; asking again would invite the same."""
        self.fault, self.answer_digest = fault[:40], answer_digest
        self._finish(at)

    @transition(field=state, source=AdviceState.WAITING, target=AdviceState.FAILED)
    def fail(self, *, fault: str, at: datetime) -> None:
        self.fault = fault[:40]
        self._finish(at)

    def _finish(self, at: datetime) -> None:
        self.next_ask_at, self.asked_until, self.finished_at = None, None, at
