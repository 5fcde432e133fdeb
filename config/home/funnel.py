"""How far the day's orders came."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from checkout.selectors.placed import SHIPPED, placed_between
from config.home.figures import count, figure, rows, share
from config.home.spans import spans
from ledger.identifiers import first_key_of

_LIST = "admin:checkout_order_changelist"


def funnel(request: HttpRequest, now: datetime) -> dict[str, Any]:
    """Six statements."""
    three = spans(now)
    placed = three.each(lambda span: placed_between(span.begin, span.until))
    # Their keys are in the order of time, and the list has no other index for it.
    keys = {"id__gte": first_key_of(three.today.begin), "id__lt": first_key_of(three.today.until)}
    steps = [
        (_("Checkout"), placed.each(lambda one: one.asked), rows(_LIST, **keys)),
        (_("Order"), placed.each(lambda one: one.placed), ""),
        (_("Payment begun"), placed.each(lambda one: one.payment_begun), ""),
        (_("Paid"), placed.each(lambda one: one.paid), rows(_LIST, paid_by__gt="pay_", **keys)),
        (
            _("Shipped"),
            placed.each(lambda one: one.shipped),
            rows(_LIST, state__in=",".join(sorted(SHIPPED)), **keys),
        ),
    ]
    first = placed.each(lambda one: one.asked)
    return {
        "steps": [
            {
                "name": name,
                "figure": figure(values, count, href=href if values.today else ""),
                "shares": [share(part, whole) for part, whole in zip(values.days, first.days, strict=True)],
                "width": 1000 * values.today // first.today if first.today else 0,
            }
            for name, values, href in steps
        ]
    }
