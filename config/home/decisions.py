"""What risk answered to the day's payments."""

from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest
from django.utils.translation import gettext as _

from config.home.figures import count, figure, rows, share
from config.home.spans import spans
from ledger.identifiers import first_key_of
from risk.daily import taken_between
from risk.states import Action, Stage

_LIST = "admin:risk_decision_changelist"
_COLOURS: Final = {
    Action.ACCEPT: "fill-accept",
    Action.CHALLENGE: "fill-challenge",
    Action.REVIEW: "fill-review",
    Action.REJECT: "fill-reject",
}


def decisions(request: HttpRequest, now: datetime) -> dict[str, Any]:
    """Nine statements at most."""
    three = spans(now)
    taken = three.each(lambda span: taken_between(span.begin, span.until))
    wholes = taken.each(lambda actions: sum(actions.values()))
    names = {
        Action.ACCEPT: _("Accepted"),
        Action.CHALLENGE: _("Challenged"),
        Action.REVIEW: _("Given to a person"),
        Action.REJECT: _("Rejected"),
    }
    today = {
        "stage__exact": Stage.PAYMENT.value,
        "id__gte": first_key_of(three.today.begin),
        "id__lt": first_key_of(three.today.until),
    }
    found, at = [], 0
    for action, name in names.items():
        of_action = taken.each(lambda actions, action=action: actions.get(action.value, 0))  # type: ignore[misc]
        width = 1000 * of_action.today // wholes.today if wholes.today else 0
        found.append(
            {
                "name": name,
                "figure": figure(
                    of_action,
                    count,
                    href=rows(_LIST, action__exact=action.value, **today) if of_action.today else "",
                ),
                "shares": [
                    share(part, whole) for part, whole in zip(of_action.days, wholes.days, strict=True)
                ],
                "colour": _COLOURS[action],
                "x": at,
                "width": width,
            }
        )
        at += width
    return {"actions": found, "whole": count(wholes.today)}
