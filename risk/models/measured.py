"""What is measured of decisions: other policies' answers, back-tests, figures of days, alerts."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django_fsm import FSMModelMixin, transition

from ledger import identifiers
from ledger.audit import StateAudit
from ledger.fields import StateField
from risk.models.decisions import Decision
from risk.models.policies import Policy
from risk.states import Action, BackTestState


class ShadowOutcome(models.Model):
    """What a policy that did not decide would have: the answer alone, the grounds come out again when it is asked."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="+", db_index=False)
    decision = models.ForeignKey(Decision, on_delete=models.PROTECT, related_name="+", db_index=False)
    action = models.CharField(max_length=9, choices=[(a.value, a.value) for a in Action])
    score = models.SmallIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["policy", "decision"], name="risk_shadow_once"),
            models.CheckConstraint(
                condition=Q(action__in=[a.value for a in Action]), name="risk_shadow_action"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.policy_id} on {self.decision_id}"


class BackTestQuerySet(models.QuerySet["BackTest"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))


class BackTest(FSMModelMixin, models.Model):
    """A policy judging what was decided: how far it is, and what came out."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="back_tests")
    days = models.PositiveSmallIntegerField()
    state = StateField(
        default=BackTestState.WAITING, choices=[(s.value, s.value) for s in BackTestState], protected=True
    )
    asked_at = models.DateTimeField(default=timezone.now)
    asked_by = models.CharField(max_length=80)
    seen = models.PositiveIntegerField(default=0)
    expected = models.PositiveIntegerField(default=0)
    moved_at = models.DateTimeField(default=timezone.now)
    figures = models.JSONField(default=dict)
    error = models.CharField(max_length=500, blank=True)

    objects = BackTestQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(
                fields=["moved_at"],
                condition=Q(state__in=[BackTestState.WAITING.value, BackTestState.RUNNING.value]),
                name="risk_back_test_waiting",
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in BackTestState]), name="risk_back_test_state"
            )
        ]
        triggers = [StateAudit("bkt")]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return identifiers.encode("bkt", self.id)

    @property
    def percent(self) -> int:
        """Of the way; how many are expected is the planner's guess."""
        if self.state == BackTestState.DONE:
            return 100
        return min(99, 100 * self.seen // self.expected) if self.expected else 0

    @transition(
        field=state,
        source=[BackTestState.WAITING.value, BackTestState.RUNNING.value],
        target=BackTestState.RUNNING.value,
    )
    def begin(self, *, at: datetime) -> None:
        """Also anew, where whoever ran it is gone."""
        self.seen, self.moved_at = 0, at

    @transition(field=state, source=BackTestState.RUNNING.value, target=BackTestState.DONE.value)
    def finish(self, *, figures: dict[str, Any], at: datetime) -> None:
        self.figures, self.moved_at = figures, at

    @transition(field=state, source=BackTestState.RUNNING.value, target=BackTestState.FAILED.value)
    def fail(self, *, error: str, at: datetime) -> None:
        self.error, self.moved_at = error[:500], at

    def move(self, *, seen: int, expected: int, at: datetime) -> None:
        self.seen, self.expected, self.moved_at = seen, max(seen, expected), at
        self.save(update_fields=["seen", "expected", "moved_at"])

    def store(self) -> None:
        self.save(update_fields=["state", "seen", "figures", "error", "moved_at"])


class ReaderQuerySet(models.QuerySet["Reader"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))

    def of(self, name: str) -> "Reader":
        """The reader of this name, locked; made when there is none."""
        self.bulk_create([self.model(name=name)], ignore_conflicts=True)
        return self.locked().get(name=name)


class Reader(models.Model):
    """How far somebody has read the decisions, who counts each of them once."""

    name = models.CharField(max_length=40, primary_key=True)
    through = models.UUIDField(null=True)

    objects = ReaderQuerySet.as_manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name

    def advance(self, through: Any) -> None:
        self.through = through
        self.save(update_fields=["through"])


class DayFiguresQuerySet(models.QuerySet["DayFigures"]):
    def of(self, day: Any) -> "DayFigures":
        """The day's, locked; made when there are none."""
        self.bulk_create([self.model(counted_on=day)], ignore_conflicts=True)
        return self.order_by("pk").select_for_update(of=("self",)).get(counted_on=day)


class DayFigures(models.Model):
    """One calendar day of decisions at the payment's stage: how many of each action, and how each input was spread."""

    counted_on = models.DateField(primary_key=True)
    actions = models.JSONField(default=dict)  # action → how many
    inputs = models.JSONField(default=dict)  # input → bin → how many

    objects = DayFiguresQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        verbose_name_plural = "day figures"

    def __str__(self) -> str:
        return self.counted_on.isoformat()

    def store(self) -> None:
        self.save(update_fields=["actions", "inputs"])


class HourFiguresQuerySet(models.QuerySet["HourFigures"]):
    def of(self, hour: datetime) -> "HourFigures":
        """The hour's, locked; made when there are none."""
        self.bulk_create([self.model(began_at=hour)], ignore_conflicts=True)
        return self.order_by("pk").select_for_update(of=("self",)).get(began_at=hour)

    def actions_of(self, hours: Iterable[datetime]) -> list[dict[str, int]]:
        return list(self.filter(began_at__in=list(hours)).values_list("actions", flat=True))


class HourFigures(models.Model):
    """One hour of decisions at the payment's stage: how many of each action."""

    began_at = models.DateTimeField(primary_key=True)
    actions = models.JSONField(default=dict)

    objects = HourFiguresQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        verbose_name_plural = "hour figures"

    def __str__(self) -> str:
        return self.began_at.isoformat()

    def add(self, counted: Mapping[str, int]) -> None:
        for action, count in counted.items():
            self.actions[action] = self.actions.get(action, 0) + count
        self.save(update_fields=["actions"])


class AlertQuerySet(models.QuerySet["Alert"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))

    def open(self) -> Self:
        return self.filter(ended_at=None)

    def raise_once(
        self, kind: str, subject: str, day: Any, detail: dict[str, Any], *, ended_at: datetime | None = None
    ) -> bool:
        """Whether nobody was told of it on this day: one caller is told so. An event has `ended_at` at once."""
        key = {"kind": kind, "subject": subject, "raised_on": day}
        made = self.model(**key, detail=detail, ended_at=ended_at)
        self.bulk_create([made], ignore_conflicts=True)
        return self.filter(pk=made.pk).exists()


class Alert(models.Model):
    """Something of risk is not as it should be, from `raised_at` until `ended_at`: told once, at most once a day."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=120)
    raised_on = models.DateField()
    detail = models.JSONField(default=dict)
    raised_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["kind"], condition=Q(ended_at=None), name="risk_alert_open")]
        constraints = [
            models.UniqueConstraint(fields=["raised_on", "kind", "subject"], name="risk_alert_once_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"

    def last_until(self, at: datetime | None) -> None:
        """It ended then, or goes on after all."""
        self.ended_at = at
        self.save(update_fields=["ended_at"])
