"""What machines are told of risk: few figures, each from a bounded, indexed statement, the same from every process."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import inf
from uuid import UUID

import redis
from django.db.models import Count, Q

from risk import ages, histories, stored
from risk.histories import HistoriesLost
from risk.models import Alert, DecisionCount, RiskCase, RiskModel
from risk.states import Action, CaseKind, ModelState, Stage

ALERTS = ("jump", "jump_hour", "drift", "model_unusable", "model_old", "rule_ending")
_WANTING = ("deadline", "velocity", "model")
_DAY = 86_400

Samples = tuple[tuple[Mapping[str, str], float], ...]  # labels, and the figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`kind` is "counter" (it only grows) or "gauge"."""

    name: str
    kind: str
    help: str
    samples: Samples


def metrics(*, now: datetime) -> Iterator[Metric]:
    yield _alerts()
    yield from _decisions()
    yield from _cases(now)
    yield _champions(now)
    yield from _histories(now)


def _alerts() -> Metric:
    open_ = dict(Alert.objects.open().values_list("kind").annotate(Count("pk")))
    return Metric(
        name="risk_alerts_open",
        kind="gauge",
        help="Warnings that last, by kind.",
        samples=tuple(({"kind": kind}, open_.get(kind, 0)) for kind in dict.fromkeys((*ALERTS, *open_))),
    )


def _decisions() -> Iterator[Metric]:
    taken = {(stage.value, action.value): 0 for stage in Stage for action in Action}
    wanting = dict.fromkeys(_WANTING, 0)
    for row in DecisionCount.objects.all():
        taken[row.stage, row.action] = taken.get((row.stage, row.action), 0) + row.decisions
        if row.degraded:
            wanting[row.degraded] = wanting.get(row.degraded, 0) + row.decisions
    yield Metric(
        name="risk_decisions_total",
        kind="counter",
        help="Decisions by stage and action, counted two to three minutes after they were taken.",
        samples=tuple(({"stage": stage, "action": action}, n) for (stage, action), n in taken.items()),
    )
    yield Metric(
        name="risk_decisions_degraded_total",
        kind="counter",
        help="Of these, taken without all that they should know, by what was wanting.",
        samples=tuple(({"reason": reason}, n) for reason, n in wanting.items()),
    )


def _cases(now: datetime) -> Iterator[Metric]:
    live = RiskCase.objects.live().values_list("kind")
    counted = live.annotate(Count("pk"), late=Count("pk", filter=Q(decide_by__lte=now)))
    found = {kind: (count, late) for kind, count, late in counted}
    for at, name, words in (
        (0, "risk_cases_open", "Cases that nobody has decided, by kind."),
        (1, "risk_cases_overdue", "Of these, past the time by which they should be."),
    ):
        samples = tuple(({"kind": kind.value}, found.get(kind.value, (0, 0))[at]) for kind in CaseKind)
        yield Metric(name=name, kind="gauge", help=words, samples=samples)


def _champions(now: datetime) -> Metric:
    """One a name; a model that was made from days that never were has no age."""
    rows = RiskModel.objects.filter(state=ModelState.CHAMPION).defer("text", "schema").order_by("name")
    days = [(row, ages.age_of(row, now).data) for row in rows if not row.card.get("simulated")]
    return Metric(
        name="risk_champion_data_age_seconds",
        kind="gauge",
        help="Since the last day of the payments that the champion learnt from; none of simulated ones.",
        samples=tuple(({"model": str(row)}, data * _DAY) for row, data in days if data is not None),
    )


def _histories(now: datetime) -> Iterator[Metric]:
    """Without Redis nobody knows: that is endlessly long ago."""
    try:
        generation = histories.current()
        behind = max(0.0, now.timestamp() - histories.whole_at(generation))
        age = max(0.0, (now - stored.made_at(UUID(generation))).total_seconds())
    except (HistoriesLost, redis.RedisError):
        behind = age = inf
    yield Metric(
        name="risk_histories_behind_seconds",
        kind="gauge",
        help="Since the histories were last known to be whole; +Inf where there are none.",
        samples=(({}, behind),),
    )
    yield Metric(
        name="risk_histories_rebuilt_age_seconds",
        kind="gauge",
        help="Since the histories were last made anew; +Inf where there are none.",
        samples=(({}, age),),
    )
