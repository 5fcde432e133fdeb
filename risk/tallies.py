"""What a policy would have done with stored decisions, counted one by one. Pure; memory does not grow with them.

Only questions at the payment's stage count: the light check before the order asks the same a moment earlier. A payment
that is tried twice is two decisions. Sums are CNY minor units by the policy's rates.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from ledger.identifiers import encode
from risk.rules import Judgement
from risk.states import Action

_EXAMPLES = 50


@dataclass(slots=True)
class Side:
    """One policy's answers. Stopped is whatever is not accepted at once."""

    counts: Counter[str] = field(default_factory=Counter)
    sums: Counter[str] = field(default_factory=Counter)
    stopped: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})  # fraud? → how many
    passed: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    stopped_sum: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    passed_sum: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})

    def add(self, action: str, amount: int, fraud: bool | None) -> None:
        self.counts[action] += 1
        self.sums[action] += amount
        if fraud is None:
            return
        accepted = action == Action.ACCEPT
        (self.passed if accepted else self.stopped)[fraud] += 1
        (self.passed_sum if accepted else self.stopped_sum)[fraud] += amount

    def figures(self, days: int) -> dict[str, Any]:
        labelled_stops, frauds = sum(self.stopped.values()), self.stopped[True] + self.passed[True]
        return {
            "actions": {one.value: self.counts[one.value] for one in Action},
            "sums": {one.value: self.sums[one.value] for one in Action},
            "reviews_per_day": round(self.counts[Action.REVIEW] / max(1, days), 2),
            "precision": _ratio(self.stopped[True], labelled_stops),
            "recall": _ratio(self.stopped[True], frauds),
            "fraud_stopped": self.stopped[True],
            "fraud_passed": self.passed[True],
            "honest_stopped": self.stopped[False],
            "honest_passed": self.passed[False],
            "fraud_stopped_sum": self.stopped_sum[True],
            "fraud_passed_sum": self.passed_sum[True],
            "honest_stopped_sum": self.stopped_sum[False],
        }


@dataclass(slots=True)
class Tally:
    """Stored decisions beside what another policy says of them."""

    decisions: int = 0
    without_rate: int = 0
    was: Side = field(default_factory=Side)
    would: Side = field(default_factory=Side)
    matrix: dict[str, Counter[str]] = field(default_factory=dict)  # was → would → how many
    moved_sums: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self, *, decision: UUID, subject: str, was: str, judgement: Judgement, fraud: bool | None
    ) -> None:
        would, amount = judgement.action.value, judgement.amount_cny or 0
        self.decisions += 1
        self.without_rate += judgement.amount_cny is None
        self.was.add(was, amount, fraud)
        self.would.add(would, amount, fraud)
        self.matrix.setdefault(was, Counter())[would] += 1
        self.causes.update({ground.code for ground in judgement.grounds})
        if was == would:
            return
        self.moved_sums[f"{was}>{would}"] += amount
        if len(self.examples) < _EXAMPLES:
            changed = {"decision": encode("dec", decision), "subject": subject, "was": was, "would": would}
            self.examples.append({**changed, "score": judgement.score, "fraud": fraud})

    def figures(self, *, days: int) -> dict[str, Any]:
        return {
            "decisions": self.decisions,
            "days": days,
            "without_rate": self.without_rate,
            "labelled": {
                "fraud": self.was.stopped[True] + self.was.passed[True],
                "honest": self.was.stopped[False] + self.was.passed[False],
            },
            "was": self.was.figures(days),
            "would": self.would.figures(days),
            "agreement": agreement(self.matrix),
            "matrix": {was: dict(row) for was, row in sorted(self.matrix.items())},
            "moved_sums": dict(sorted(self.moved_sums.items())),
            "causes": dict(self.causes.most_common()),
            "examples": self.examples,
        }


def agreement(matrix: dict[str, Counter[str]]) -> float | None:
    """The share of decisions that both answer alike."""
    return _ratio(sum(row[was] for was, row in matrix.items()), sum(row.total() for row in matrix.values()))


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
