"""What the pages of policies have in common: rights, people's names, figures for tables."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from risk import wording
from risk.limits import CURRENCY
from risk.states import Action

VIEW, DRAFT, SWITCH = "risk.view_policy", "risk.draft_policy", "risk.switch_policy"
_SIDE = ("precision", "recall", "reviews_per_day")
_SUMS = ("fraud_stopped_sum", "fraud_passed_sum", "honest_stopped_sum")


def require(request: HttpRequest, right: str) -> None:
    if not request.user.has_perm(right):
        raise PermissionDenied


def actor(request: HttpRequest) -> str:
    return f"user:{request.user.pk}"


def names(actors: Iterable[str]) -> dict[str, str]:
    """People's names for "user:12"; programs go by what they are."""
    wanted = {one for one in actors if one}
    keys = [key for one in wanted if (key := one.removeprefix("user:")).isdecimal()]
    people: Any = get_user_model().objects.filter(pk__in=keys)
    known = {f"user:{person.pk}": person.get_full_name() or person.get_username() for person in people}
    return {one: known.get(one, one) for one in wanted}


def money(minor: int) -> str:
    return wording.amount(minor, CURRENCY, get_language() or "en")


def percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.4g}"


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
    plain = [(titles[one], _number(was[one]), _number(would[one])) for one in _SIDE]
    return [*plain, *((titles[one], money(was[one]), money(would[one])) for one in _SUMS)]


def moves(figures: Mapping[str, Any]) -> list[tuple[str, str, int, str]]:
    """What would change, and about how much money."""
    rows = []
    for move, total in figures.get("moved_sums", {}).items():
        was, _sep, would = move.partition(">")
        rows.append((was, would, figures["matrix"][was][would], money(total)))
    return sorted(rows, key=lambda row: -row[2])


def _number(value: Any) -> str:
    return "–" if value is None else str(value)
