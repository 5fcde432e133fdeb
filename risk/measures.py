"""How well scores tell frauds from honest payments: the figures of the Fraud Detection Handbook. Pure.

Each takes scores and labels in the same order; payments of one score are taken together, so order never matters.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby


def _steps(scores: Sequence[float], labels: Sequence[int]) -> Iterator[tuple[float, int, int]]:
    """Score by score from the highest: the score, and frauds and honest payments that have it."""
    ranked = sorted(zip(scores, labels, strict=True), reverse=True)
    for score, tied in groupby(ranked, key=lambda pair: pair[0]):
        found = [label for _, label in tied]
        yield score, sum(found), len(found) - sum(found)


def auc(scores: Sequence[float], labels: Sequence[int]) -> float:
    """The chance that a fraud has a higher score than an honest payment."""
    frauds = below = 0
    area = 0.0
    for _, bad, good in _steps(scores, labels):
        area += good * (frauds + bad / 2)
        frauds += bad
        below += good
    return area / (frauds * below) if frauds and below else 0.0


def average_precision(scores: Sequence[float], labels: Sequence[int]) -> float:
    """Precision at each threshold, weighted by the recall that it adds."""
    frauds = sum(labels)
    caught = flagged = 0
    total = 0.0
    for _, bad, good in _steps(scores, labels):
        caught += bad
        flagged += bad + good
        total += bad * caught / flagged
    return total / frauds if frauds else 0.0


def curve(scores: Sequence[float], labels: Sequence[int], most: int = 40) -> list[tuple[float, float]]:
    """Recall and precision from the strictest threshold to the laxest, at most so many of them, evenly by recall."""
    frauds, caught, flagged = sum(labels), 0, 0
    found: list[tuple[float, float]] = []
    for _, bad, good in _steps(scores, labels):
        caught += bad
        flagged += bad + good
        if bad and (not found or caught / frauds - found[-1][0] >= 1 / most or caught == frauds):
            found.append((round(caught / frauds, 4), round(caught / flagged, 4)))
    return found


def threshold(scores: Sequence[float], labels: Sequence[int], share: float) -> float:
    """The score above which at most `share` of honest payments lie."""
    honest = sorted((score for score, label in zip(scores, labels, strict=True) if not label), reverse=True)
    return honest[max(int(share * len(honest)) - 1, 0)] if honest else 0.0


def recall_at(scores: Sequence[float], labels: Sequence[int], share: float) -> float:
    """The share of frauds caught when `share` of honest payments are flagged."""
    limit = threshold(scores, labels, share)
    caught = sum(1 for score, label in zip(scores, labels, strict=True) if label and score > limit)
    return caught / max(sum(labels), 1)


def card_precision(
    scores: Sequence[float], labels: Sequence[int], cards: Sequence[int], days: Sequence[int], top: int
) -> float:
    """Of the `top` cards with the highest scores of a day, the share with a fraud on it; mean of the days."""
    best: dict[int, dict[int, tuple[float, int]]] = {}
    for score, label, card, day in zip(scores, labels, cards, days, strict=True):
        seen = best.setdefault(day, {})
        highest, bad = seen.get(card, (score, 0))
        seen[card] = (max(highest, score), max(bad, label))
    found = [sum(bad for _, bad in sorted(seen.values(), reverse=True)[:top]) / top for seen in best.values()]
    return sum(found) / len(found) if found else 0.0
