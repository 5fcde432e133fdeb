"""The Fraud Detection Handbook's protocol: learn from a week, wait a week for its labels, judge the next. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from time import perf_counter

from risk import baseline, measures
from risk.examples import Examples, examples
from risk.learning import Matrix, Scorer, matrix, signals_of, train
from risk.transactions import Past

WEEK = 7
FIGURES = ("auc", "ap", "cp100", "recall_at_0.1pct")
_TOP_CARDS = 100
_FLAGGED = 0.001
_EPOCH = date(1970, 1, 1)

Figures = Mapping[str, float]


class NothingToJudge(ValueError):
    """No frauds to learn from or to find: the message names the week."""


@dataclass(frozen=True, slots=True)
class Week:
    """How one week came out; `training_seconds` is the fit of the model."""

    model: Figures
    baseline: Figures
    training_seconds: float
    frauds: int
    payments: int


@dataclass(frozen=True, slots=True)
class Split:
    """Rows to learn from, and rows to judge."""

    train: list[int]
    test: list[int]


def day_number(day: date) -> int:
    return (day - _EPOCH).days


def wanted_days(starts: Sequence[date]) -> frozenset[int]:
    """The days that the weeks starting then learn from or are judged on."""
    return frozenset(
        day_number(start) + offset for start in starts for offset in (*range(-2 * WEEK, -WEEK), *range(WEEK))
    )


def split(made: Examples, frauds_by_day: Mapping[int, set[int]], start: date) -> Split:
    """Customers known for a fraud by the day of the payment are no longer judged: their card is stopped."""
    first = day_number(start)
    trained = range(first - 2 * WEEK, first - WEEK)
    stopped: dict[int, set[int]] = {}
    known = set().union(*(frauds_by_day.get(day, set()) for day in trained))
    for day in range(first, first + WEEK):
        known = known | frauds_by_day.get(day - WEEK - 1, set())
        stopped[day] = known
    learn = [row for row, day in enumerate(made.day) if day in trained]
    judged = [
        row
        for row, (day, customer) in enumerate(zip(made.day, made.customer, strict=True))
        if day in stopped and customer not in stopped[day]
    ]
    return Split(learn, judged)


def evaluate(pasts: Sequence[Past], starts: Sequence[date]) -> dict[date, Week]:
    """Each week judged by a model that learnt from the week before last. Raises NothingToJudge."""
    wanted = wanted_days(starts)
    made = examples(pasts, wanted=wanted.__contains__, kinds=("customer", "merchant"), beside_baseline=True)
    frauds: dict[int, set[int]] = {}
    for past in pasts:
        if past.fraud:
            frauds.setdefault(past.day, set()).add(past.parties["customer"])
    splits = {start: split(made, frauds, start) for start in starts}
    for start, rows in splits.items():
        if not all(any(made.fraud[row] for row in part) for part in (rows.train, rows.test)):
            raise NothingToJudge(
                f"no frauds in the week of {start}, or in the one before last: is it in the file?"
            )
    return {start: _week(made, rows) for start, rows in splits.items()}


def _week(made: Examples, rows: Split) -> Week:
    ours, theirs = signals_of(made), matrix(made.plain, len(baseline.NAMES))
    started = perf_counter()
    model = _learnt(ours, made, rows, made.names, plain=False)
    seconds = perf_counter() - started
    plain = _learnt(theirs, made, rows, baseline.NAMES, plain=True)
    return Week(
        model=figures(made, rows.test, model.scores(ours[rows.test])),
        baseline=figures(made, rows.test, plain.scores(theirs[rows.test])),
        training_seconds=seconds,
        frauds=sum(made.fraud[row] for row in rows.test),
        payments=len(rows.test),
    )


def _learnt(values: Matrix, made: Examples, rows: Split, names: Sequence[str], *, plain: bool) -> Scorer:
    return Scorer(train(values[rows.train], [made.fraud[row] for row in rows.train], plain=plain), names)


def figures(made: Examples, rows: Sequence[int], scores: Sequence[float]) -> Figures:
    """The four figures of the protocol."""
    labels = [made.fraud[row] for row in rows]
    cards, days = [made.customer[row] for row in rows], [made.day[row] for row in rows]
    found = (
        measures.auc(scores, labels),
        measures.average_precision(scores, labels),
        measures.card_precision(scores, labels, cards, days, _TOP_CARDS),
        measures.recall_at(scores, labels, _FLAGGED),
    )
    return dict(zip(FIGURES, found, strict=True))


def mean(weeks: Sequence[Figures]) -> Figures:
    return {name: sum(week[name] for week in weeks) / len(weeks) for name in FIGURES}
