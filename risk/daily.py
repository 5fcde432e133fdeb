"""The figures of the days: what was answered, how often wrongly, and which inputs have moved."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection
from django.db.models import Count

from ledger.identifiers import first_key_of
from risk import drift, stored
from risk.features import calendar_day
from risk.models import DayFigures, Decision, HourFigures, Reader
from risk.states import Action, Stage

REFERENCE = 28  # days before the last week
RECENT = 7
WEEKS = 8  # of which an hour is compared with the same one
_HOUR = timedelta(hours=1)

_LABELS = """
SELECT (d.happened_at AT TIME ZONE 'Asia/Shanghai')::date, c.state, count(*)
  FROM risk_riskcase c JOIN risk_decision d ON d.id = c.decision_id
 WHERE c.id >= %s AND c.state IN ('APPROVED', 'REJECTED')
 GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """`false_positives` is an estimate: as many of those stopped as people found honest of those they looked at."""

    day: date
    actions: dict[str, int]
    total: int
    looked_at: int
    honest: int
    false_positives: int | None

    def permille(self, action: str) -> int:
        return 1000 * self.actions.get(action, 0) // self.total if self.total else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """How far an input's spread in the last week is from the weeks before; the bins that moved most, in thousandths."""

    name: str
    index: float | None
    bins: tuple[tuple[str, int, int], ...]

    @property
    def alarming(self) -> bool:
        return self.index is not None and self.index > drift.MOVED


def days(*, now: datetime, most: int = 30) -> list[Day]:
    """The newest first."""
    rows = DayFigures.objects.only("counted_on", "actions").filter(
        counted_on__gt=calendar_day(now) - timedelta(days=most)
    )
    labels = _labels(now - timedelta(days=most + 1))
    return [_day(row, labels.get(row.counted_on, Counter())) for row in rows.order_by("-counted_on")]


def moved(*, now: datetime) -> list[Moved]:
    """Every input, what moved most first."""
    reference, recent = (drift.summed([row.inputs for row in rows]) for rows in windows(now))
    found = [
        Moved(
            name=name,
            index=drift.index(reference.get(name, {}), spread),
            bins=_most_moved(reference.get(name, Counter()), spread),
        )
        for name, spread in recent.items()
    ]
    return sorted(found, key=lambda one: (-(one.index or 0), one.name))


def taken_between(begin: datetime, end: datetime) -> dict[str, int]:
    """How many decisions at the payment's stage came to each action from `begin` until before `end`.

    Whole hours are read from their figures, as far as those are taken; the rest are a range of the decisions' keys.
    """
    first = hour_of(begin.astimezone(UTC) + _HOUR - timedelta(microseconds=1))
    through = Reader.objects.filter(name="day_figures").values_list("through", flat=True).first()
    last = min(hour_of(end.astimezone(UTC)), hour_of(stored.made_at(through))) if through else first
    if last <= first:
        return dict(_decided(begin, end))
    kept = HourFigures.objects.filter(began_at__gte=first, began_at__lt=last)
    counted = sum((Counter(one) for one in kept.values_list("actions", flat=True)), Counter[str]())
    return dict(counted + _decided(begin, first) + _decided(last, end))


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def unusual_hour(now: datetime) -> Iterator[tuple[str, float, float]]:
    """Action, usual share and share, of what jumped: in the hour that runs once it has enough, else the one before.

    Each is compared with the same hour of the same weekday in the weeks before.
    """
    for hour in (hour_of(now), hour_of(now) - timedelta(hours=1)):
        [*here] = HourFigures.objects.actions_of([hour])
        if here and sum(here[0].values()) >= drift.HOUR:
            weeks = HourFigures.objects.actions_of(hour - timedelta(weeks=n) for n in range(1, WEEKS + 1))
            for action in Action:
                shares = drift.unusual(weeks, here[0], action.value)
                if shares is not None:
                    yield action.value, *shares
            return


def windows(now: datetime) -> tuple[list[DayFigures], list[DayFigures]]:
    """The reference, and the last week."""
    edge = calendar_day(now) - timedelta(days=RECENT)
    rows = list(
        DayFigures.objects.filter(counted_on__gt=edge - timedelta(days=REFERENCE)).order_by("counted_on")
    )
    return [row for row in rows if row.counted_on <= edge], [row for row in rows if row.counted_on > edge]


def _decided(begin: datetime, end: datetime) -> Counter[str]:
    if begin >= end:
        return Counter()
    rows = Decision.objects.filter(
        pk__gte=first_key_of(begin), pk__lt=first_key_of(end), stage=Stage.PAYMENT.value
    )
    return Counter(dict(rows.order_by().values_list("action").annotate(Count("pk"))))


def _day(row: DayFigures, labels: Counter[str]) -> Day:
    actions = {one.value: row.actions.get(one.value, 0) for one in Action}
    total, looked_at = sum(actions.values()), labels.total()
    stopped = total - actions[Action.ACCEPT]
    return Day(
        day=row.counted_on,
        actions=actions,
        total=total,
        looked_at=looked_at,
        honest=labels["APPROVED"],
        false_positives=stopped * labels["APPROVED"] // looked_at if looked_at else None,
    )


def _labels(since: datetime) -> dict[date, Counter[str]]:
    found: dict[date, Counter[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_LABELS, [first_key_of(since)])
        for day, state, count in cursor.fetchall():
            found.setdefault(day, Counter())[state] = count
    return found


def _most_moved(before: Counter[str], after: Counter[str]) -> tuple[tuple[str, int, int], ...]:
    shares = [
        (one, 1000 * before[one] // (before.total() or 1), 1000 * after[one] // (after.total() or 1))
        for one in {*before, *after}
    ]
    return tuple(sorted(shares, key=lambda share: (-abs(share[1] - share[2]), share[0]))[:3])
