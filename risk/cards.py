"""The card of a model: what it learnt from, how it did on later payments, and how far its probabilities hold. Pure."""

from collections.abc import Mapping, Sequence
from math import exp
from typing import Any

from risk import measures
from risk.examples import Examples
from risk.learning import Answer

_BINS = 10
_FLAGGED = 0.001


def calibration(scores: Sequence[float], fraud: Sequence[int]) -> list[dict[str, float]]:
    """Tenths of the payments by score: the mean probability that was said, and the share that were frauds."""
    ranked = sorted(zip(scores, fraud, strict=True))
    size = max(len(ranked) // _BINS, 1)
    bins = [ranked[start : start + size] for start in range(0, len(ranked), size)]
    return [
        {
            "payments": len(part),
            "said": round(sum(1 / (1 + exp(-score)) for score, _ in part) / len(part), 6),
            "was": round(sum(label for _, label in part) / len(part), 6),
        }
        for part in bins
    ]


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
        "first_day": min(learnt.day[row] for row in rows),
        "last_day": max(learnt.day[row] for row in rows),
        "signals": len(learnt.names),
        "later": dict(later),
        "for": "Ranking payments for challenge and review. Not for refusing a person anything by itself.",
    }
