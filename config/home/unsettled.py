"""What the channels still owe, by age."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from config.home.spans import zone
from ledger.money import Money
from ledger.reports.unsettled import AGES
from ledger.reports.unsettled import unsettled as unsettled_on


def unsettled(request: HttpRequest, now: datetime) -> dict[str, Any]:
    """Of all channels together, currency by currency: those that owe us; what we owe them is told apart."""
    sums: defaultdict[tuple[str, bool], dict[str, int]] = defaultdict(lambda: dict.fromkeys(AGES, 0))
    for row in unsettled_on(now.astimezone(zone()).date()):
        of_side = sums[row.balance.currency, row.balance.minor < 0]
        for age, amount in row.ages.items():
            of_side[age] += amount.minor
    return {
        "page": reverse("books-unsettled"),
        "sides": [
            {
                "title": _("%(currency)s that we owe") % {"currency": currency} if owed else currency,
                "total": Money(sum(ages.values()), currency).formatted(),
                "ages": _ages(ages, currency),
            }
            for (currency, owed), ages in sorted(sums.items())
        ],
    }


def _ages(ages: dict[str, int], currency: str) -> list[dict[str, Any]]:
    """Each with its part of the bar, in thousandths of the whole."""
    whole, at, found = abs(sum(ages.values())) or 1, 0, []
    for number, (age, minor) in enumerate(ages.items()):
        width = 1000 * abs(minor) // whole
        found.append(
            {
                "name": _("over 30 days") if age == "over-30" else _("%(age)s days") % {"age": age},
                "amount": Money(minor, currency).formatted() if minor else "–",
                "colour": f"fill-age-{number}",
                "x": at,
                "width": width,
            }
        )
        at += width
    return found
