"""Which statements are to be fetched, and how far that has come."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django_fsm import FSMModelMixin, transition

from ledger import identifiers
from ledger.audit import StateAudit
from ledger.fields import StateField
from reconciliation.errors import RunNotFound
from reconciliation.models.statement import StatementFile
from reconciliation.states import RunState as S

_STATES = [state.value for state in S]
_WAITS = (60, 300, 900, 1800, 3600)


class StatementRunQuerySet(models.QuerySet["StatementRun"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))

    def by_public_id(self, public_id: str) -> "StatementRun":
        """Raises `RunNotFound`."""
        try:
            return self.get(pk=identifiers.decode("run", public_id))
        except (identifiers.MalformedIdentifier, StatementRun.DoesNotExist) as error:
            raise RunNotFound("there is no such statement to be fetched", param="run") from error

    def expect(self, channel: str, kind: str, days: Mapping[date, datetime]) -> None:
        """Have these days fetched, each from then on; those that are known already stay as they are."""
        rows = [
            self.model(channel=channel, kind=kind, day_on=day, next_try_at=at) for day, at in days.items()
        ]
        self.bulk_create(rows, ignore_conflicts=True)

    def in_turn(self) -> Self:
        """Oldest day first; of a day, the bank's last: its lines are explained by what the channels announced."""
        found = self.filter(state=S.DUE.value).annotate(is_bank=Q(channel__startswith="bank"))
        return found.order_by("day_on", "is_bank", "channel", "kind")


class StatementRun(FSMModelMixin, models.Model):
    """One file of one provider's day. While it is DUE, `next_try_at` says when somebody asks (again), and
    `last_error` what came of the last try."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    channel = models.CharField(max_length=20)
    kind = models.CharField(max_length=30)
    day_on = models.DateField()
    state = StateField(default=S.DUE.value, choices=[(state, state) for state in _STATES], protected=True)
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()
    last_error = models.CharField(max_length=300, blank=True)
    file = models.ForeignKey(
        StatementFile, on_delete=models.PROTECT, null=True, related_name="runs", db_index=False
    )
    created_at = models.DateTimeField(db_default=Now())

    objects = StatementRunQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        ordering = ["-day_on", "channel", "kind"]
        triggers = [StateAudit("run")]
        indexes = [
            models.Index(
                fields=["next_try_at", "day_on"],
                condition=Q(state=S.DUE.value),
                name="reconciliation_run_due",
            ),
            models.Index(fields=["-day_on", "channel"], name="reconciliation_run_day"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["channel", "kind", "day_on"], name="reconciliation_run_once"),
            models.CheckConstraint(condition=Q(state__in=_STATES), name="reconciliation_run_state"),
            models.CheckConstraint(
                condition=~Q(state=S.DONE.value) | Q(file__isnull=False), name="reconciliation_run_has_file"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.kind} {self.day_on}"

    @property
    def public_id(self) -> str:
        return identifiers.encode("run", self.id)

    @transition(field=state, source=S.DUE.value, target=S.DONE.value)
    def finish(self) -> None:
        self._tried("")

    @transition(field=state, source=S.DUE.value, target=S.EMPTY.value)
    def find_empty(self) -> None:
        self._tried("")

    @transition(field=state, source=S.DUE.value, target=S.UNAVAILABLE.value)
    def give_up(self, error: str) -> None:
        """The provider says that there is none and will be none, or what it gave can not be used: for a person."""
        self._tried(error)

    @transition(field=state, source=[S.DONE.value, S.EMPTY.value, S.UNAVAILABLE.value], target=S.DUE.value)
    def ask_again(self, at: datetime) -> None:
        self.next_try_at, self.attempts, self.last_error = at, 0, ""

    def put_off(self, error: str, at: datetime) -> None:
        """Later, and less often the longer it takes."""
        self._tried(error)
        self.next_try_at = at + timedelta(seconds=_WAITS[min(self.attempts, len(_WAITS)) - 1])

    def _tried(self, error: str) -> None:
        self.attempts += 1
        self.last_error = error[:300]

    def store(self) -> None:
        self.save(update_fields=["state", "attempts", "next_try_at", "last_error", "file"])
