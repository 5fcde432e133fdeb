"""The card of a model: what it learnt from, how it did on later payments, and how far its probabilities hold. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import ceil, exp
from typing import Any

from risk import measures
from risk.examples import Examples
from risk.history import DAY
from risk.learning import Answer

_BINS = 10
_BARS = 20
_FLAGGED = 0.001


def calibration(scores: Sequence[float], fraud: Sequence[int]) -> list[dict[str, float]]:
    """Tenths of the payments by score: the mean probability that was said, and the share that were frauds."""
    ranked = sorted(zip(scores, fraud, strict=True))
    size = max(ceil(len(ranked) / _BINS), 1)
    bins = [ranked[start : start + size] for start in range(0, len(ranked), size)]
    return [
        {
            "payments": len(part),
            "said": round(sum(1 / (1 + exp(-score)) for score, _ in part) / len(part), 6),
            "was": round(sum(label for _, label in part) / len(part), 6),
        }
        for part in bins
    ]


def histogram(scores: Sequence[float], fraud: Sequence[int]) -> list[dict[str, int]]:
    """Payments by twentieths of the probability that was said: how many honest ones, how many frauds."""
    bins = [{"honest": 0, "fraud": 0} for _ in range(_BARS)]
    for score, label in zip(scores, fraud, strict=True):
        said = 1 / (1 + exp(-score))
        bins[min(int(said * _BARS), _BARS - 1)]["fraud" if label else "honest"] += 1
    return bins


def by_week(scores: Sequence[float], fraud: Sequence[int], days: Sequence[int]) -> list[dict[str, Any]]:
    """How it did week by week, from the first day on; the last may be short."""
    weeks: list[dict[str, Any]] = []
    first = min(days, default=0)
    for week in sorted({(day - first) // 7 for day in days}):
        rows = [row for row, day in enumerate(days) if (day - first) // 7 == week]
        labels = [fraud[row] for row in rows]
        figures = detection([scores[row] for row in rows], labels) if 0 < sum(labels) < len(labels) else {}
        began = {"from": _date(first + 7 * week), "payments": len(rows), "frauds": sum(labels)}
        weeks.append({**began, **figures})
    return weeks


def detection(scores: Sequence[float], fraud: Sequence[int]) -> dict[str, float]:
    return {
        "auc": round(measures.auc(scores, fraud), 4),
        "ap": round(measures.average_precision(scores, fraud), 4),
        "recall_at_0.1pct": round(measures.recall_at(scores, fraud, _FLAGGED), 4),
    }


def influence(answers: Sequence[Answer]) -> dict[str, float]:
    """By group of signals: how far it moves a payment's log odds on average, either way."""
    moved: dict[str, float] = {}
    for answer in answers:
        for name, points in answer.groups:
            moved[name] = moved.get(name, 0.0) + abs(points)
    ranked = sorted(moved.items(), key=lambda pair: -pair[1])
    return {name: round(total / max(len(answers), 1), 4) for name, total in ranked}


def card(
    *,
    source: str,
    simulated: bool,
    learnt: Examples,
    rows: Sequence[int],
    later: Mapping[str, Any],
) -> dict[str, Any]:
    """What is kept with the model; `later` is how a first fit did on payments after those it had seen."""
    return {
        "source": source,
        "simulated": simulated,
        "payments": len(rows),
        "frauds": sum(learnt.fraud[row] for row in rows),
        "first_day": _date(min(learnt.day[row] for row in rows)),
        "last_day": _date(max(learnt.day[row] for row in rows)),
        "signals": len(learnt.names),
        "later": dict(later),
        "for": "Ranking payments for challenge and review. Not for refusing a person anything by itself.",
    }


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY / 1000, UTC).date().isoformat()
