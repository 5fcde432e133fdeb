"""What the pages of policies have in common: rights, figures for tables."""

import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from ledger.wording import in_words
from risk import wording
from risk.limits import CURRENCY
from risk.states import Action

_JOINT = re.compile(r" (?=&&|\|\|)")
VIEW, DRAFT, SWITCH = "risk.view_policy", "risk.draft_policy", "risk.switch_policy"
_SIDE = ("precision", "recall", "reviews_per_day")
_SUMS = ("fraud_stopped_sum", "fraud_passed_sum", "honest_stopped_sum")


def require(request: HttpRequest, right: str) -> None:
    if not request.user.has_perm(right):
        raise PermissionDenied


def actor(request: HttpRequest) -> str:
    return f"user:{request.user.pk}"


def money(minor: int) -> str:
    return wording.amount(minor, CURRENCY, get_language() or "en")


def percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.4g}"


def clauses(expression: str) -> list[str]:
    """An expression in the pieces between which a line may break."""
    return _JOINT.split(expression)


def grouped(value: Any) -> str:
    """A figure as it is read, a dash where there is none."""
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def threshold_titles() -> dict[str, str]:
    """In the order in which a payment meets them."""
    return {
        "medium_above": _("Medium above a score of"),
        "challenge_above": _("Challenged above a score of"),
        "high_above": _("High above a score of"),
        "reject_from": _("Rejected from a score of"),
        "explain_above": _("Explained in words above a score of"),
        "grey_weight": _("Points of the grey list"),
        "review_minutes": _("Minutes for a person to decide"),
        "deadline_ms": _("Milliseconds until rules decide alone"),
        "late_weight": _("Points added then"),
        "verify_device_from": _("A strange device is confirmed from, in fen (0: never)"),
        "sample_per_mille": _("Of 1,000 accepted payments, looked at"),
        "second_look_per_mille": _("Of 1,000 decided cases, looked at again"),
    }


def thresholds(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a policy's thresholds are called, and what they are; what stands beside them comes last."""
    titles = threshold_titles() | {"challenge": _("What is asked for, by ground")}
    known = [(title, _told(name, given[name])) for name, title in titles.items() if name in given]
    return known + [(name, _told(name, value)) for name, value in given.items() if name not in titles]


def _told(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return _("; ").join(
            _(": ").join((of, _told("", one))) if of != "*" else _told("", one) for of, one in value.items()
        )
    if isinstance(value, list):
        return _(", ").join(in_words(str(one)) for one in value)
    return grouped(value)


def matrix(figures: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, int, bool]]]]:
    """A row for each action that was taken: what would be taken instead, how often, and whether that is the same."""
    found = figures.get("matrix", {})
    return [
        (was.value, [(would.value, found[was].get(would, 0), was == would) for would in Action])
        for was in Action
        if was in found
    ]


def sides(figures: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What a back-test says of both policies, line by line."""
    if "was" not in figures:
        return []
    was, would = figures["was"], figures["would"]
    titles = {
        "precision": _("Precision"),
        "recall": _("Recall"),
        "reviews_per_day": _("Reviews a day"),
        "fraud_stopped_sum": _("Fraud stopped"),
        "fraud_passed_sum": _("Fraud let through"),
        "honest_stopped_sum": _("Honest money stopped"),
    }
    plain = [(titles[one], _share(one, was[one]), _share(one, would[one])) for one in _SIDE]
    return [*plain, *((titles[one], money(was[one]), money(would[one])) for one in _SUMS)]


def moves(figures: Mapping[str, Any]) -> list[tuple[str, str, int, str]]:
    """What would change, and about how much money."""
    rows = []
    for move, total in figures.get("moved_sums", {}).items():
        was, _sep, would = move.partition(">")
        rows.append((was, would, figures["matrix"][was][would], money(total)))
    return sorted(rows, key=lambda row: -row[2])


def fired(figures: Mapping[str, Any]) -> list[tuple[str, int]]:
    """What fires most comes first."""
    return sorted(figures.get("causes", {}).items(), key=lambda one: (-one[1], one[0]))


def _share(name: str, value: Any) -> str:
    if value is None:
        return "–"
    return str(value) if name == "reviews_per_day" else f"{percent(value)} %"
