"""What was stopped, of attacks and of honest payments, counted from the labels that were written before."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

from bench.attacks.script import ATTACKS, HONEST
from bench.attacks.shop import Answer
from bench.frame import median, percentile

_ASKED = ("challenge", "review")
_IN_A_ROW = 3


def figures(answers: Sequence[Answer], bought: Collection[int]) -> dict[str, Any]:
    """Shares in percent; money in CNY. Asked: challenged, or held for a person; `bought`: what was paid in the end."""
    honest = [one for one in answers if one.visit.attack == HONEST]
    attacks = [one for one in answers if one.visit.attack != HONEST]
    return {
        "honest": {
            "payments": len(honest),
            "rejected_pct": _share(honest, lambda one: one.action == "reject"),
            "asked_pct": _share(honest, lambda one: one.action in _ASKED),
            "reviewed_pct": _share(honest, lambda one: one.action == "review"),
            "causes": _causes(honest),
            "traits": dict(
                Counter(one.visit.trait for one in honest if one.action != "accept").most_common()
            ),
        },
        "attacks": _stopped(attacks, bought),
        **{kind: _stopped([one for one in attacks if one.visit.attack == kind], bought) for kind in ATTACKS},
        "degraded": sum(bool(one.degraded) for one in answers),
        "p50_ms": round(median([one.ms for one in answers]), 2),
        "p99_ms": round(percentile([one.ms for one in answers], 0.99), 2),
    }


def _stopped(attacks: Sequence[Answer], bought: Collection[int]) -> dict[str, Any]:
    money = sum(one.visit.amount for one in attacks)
    kinds = {
        action: sum(one.visit.amount for one in attacks if one.action == action)
        for action in ("reject", *_ASKED)
    }
    stopped = sum(kinds.values())
    return {
        "payments": len(attacks),
        "money": money // 100,
        "stopped_or_asked_pct": round(100 * stopped / max(money, 1), 2),
        "rejected_pct": round(100 * kinds["reject"] / max(money, 1), 2),
        "passed": sum(one.action == "accept" for one in attacks),
        "passed_money": (money - stopped) // 100,
        "paid_money": sum(one.visit.amount for one in attacks if one.visit.number in bought) // 100,
        "causes": _causes(attacks),
    }


def caught(answers: Sequence[Answer], kind: str) -> list[dict[str, Any]]:
    """When each attack of a kind was recognised: the first of three payments in a row that were not let through."""
    groups: dict[str, list[Answer]] = {}
    for one in answers:
        if one.visit.attack == kind:
            groups.setdefault(one.visit.group, []).append(one)
    return [_caught(its) for _, its in sorted(groups.items())]


def _caught(its: Sequence[Answer]) -> dict[str, Any]:
    held = [one.action != "accept" for one in its]
    first = next((n for n in range(len(its)) if all(held[n : n + _IN_A_ROW])), len(its) - 1)
    before = [one for one in its[:first] if one.action == "accept"]
    return {
        "payments": len(its),
        "money": sum(one.visit.amount for one in its) // 100,
        "payments_before": len(before),
        "money_before": sum(one.visit.amount for one in before) // 100,
        "hours": round((its[first].visit.at - its[0].visit.at).total_seconds() / 3600, 1),
        "passed": len(its) - sum(held),
        "passed_money": sum(one.visit.amount for one in its if one.action == "accept") // 100,
    }


def _share(rows: Sequence[Answer], told: Callable[[Answer], bool]) -> float:
    return round(100 * sum(map(told, rows)) / max(len(rows), 1), 3)


def _causes(rows: Sequence[Answer]) -> dict[str, int]:
    return dict(
        Counter(cause for one in rows if one.action != "accept" for cause in one.causes).most_common()
    )
