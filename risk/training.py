"""From payments and what became of them to a model with its card. Pure: minutes of work, the same text every time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from risk import cards, measures
from risk.errors import TooFewOutcomes
from risk.examples import Examples, examples
from risk.history import MARKS
from risk.learning import Scorer, signals_of, train
from risk.transactions import LABEL_DELAY_DAYS, Past

KINDS = (*MARKS, "ip")
_LEAST_FRAUDS = 50
_LATER = 0.25  # of the days are kept to judge a first fit on
_EXPLAINED = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A model in LightGBM's text format, the ordered signals that it looks at, and its card."""

    text: str
    names: tuple[str, ...]
    card: dict[str, Any]


def learn(*, pasts: Sequence[Past], days: int, source: str, simulated: bool) -> Lesson:
    """The model of the last `days` whose labels are settled; what lies before only fills the histories.

    `pasts` in the order of time. Raises `TooFewOutcomes`.
    """
    learnt = _learnt(pasts, days)
    rows = range(len(learnt.fraud))
    _enough(learnt, rows)
    values = signals_of(learnt)
    later = _judge_later(learnt)
    card = cards.card(source=source, simulated=simulated, learnt=learnt, rows=rows, later=later)
    return Lesson(text=train(values, learnt.fraud), names=learnt.names, card=card)


def _learnt(pasts: Sequence[Past], days: int) -> Examples:
    """Payments of which an answer can be expected by now."""
    last = (pasts[-1].day if pasts else 0) - LABEL_DELAY_DAYS
    wanted = range(last - days + 1, last + 1)
    kinds = [kind for kind in KINDS if any(kind in past.parties for past in pasts)]
    if any(past.proofs for past in pasts):
        kinds.append("challenge")
    return examples(pasts, wanted=wanted.__contains__, kinds=kinds)


def _enough(learnt: Examples, rows: Sequence[int]) -> None:
    frauds = sum(learnt.fraud[row] for row in rows)
    if frauds < _LEAST_FRAUDS or frauds == len(rows):
        raise TooFewOutcomes(
            f"{frauds} frauds among {len(rows)} payments with an answer: {_LEAST_FRAUDS} are needed. Wait, take more"
            " days, or train on a generated world.",
            param="days",
        )


def _both(labels: Sequence[int]) -> bool:
    return 0 < sum(labels) < len(labels)


def _judge_later(learnt: Examples) -> dict[str, Any]:
    """How a fit on the earlier days does on the later ones; nothing when either has no frauds."""
    first, last = learnt.day[0], learnt.day[-1]
    cut = last - int((last - first + 1) * _LATER)
    earlier = [row for row, day in enumerate(learnt.day) if day <= cut]
    later = [row for row, day in enumerate(learnt.day) if day > cut]
    if not all(_both([learnt.fraud[row] for row in part]) for part in (earlier, later)):
        return {}
    values = signals_of(learnt)
    fraud = [learnt.fraud[row] for row in later]
    scorer = Scorer(train(values[earlier], [learnt.fraud[row] for row in earlier]), learnt.names)
    scores = scorer.scores(values[later])
    return {
        **cards.detection(scores, fraud),
        "payments": len(later),
        "frauds": sum(fraud),
        "calibration": cards.calibration(scores, fraud),
        "curve": measures.curve(scores, fraud),
        "histogram": cards.histogram(scores, fraud),
        "weeks": cards.by_week(scores, fraud, [learnt.day[row] for row in later]),
        "influence": cards.influence(scorer.answers(values[later[:_EXPLAINED]])),
    }
