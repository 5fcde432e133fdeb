"""How far the orders of a span came."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from checkout.models import Order
from checkout.models.orders import PREFIX
from checkout.states import PAID, OrderState
from ledger.identifiers import encode, first_key_of
from payments.daily import references_paid_for

SHIPPED = PAID - {OrderState.PAID}


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Orders that were begun in a span, as they stand now: each number is a part of the one before.

    `asked` counts also what risk turned away, `paid` also what was paid and cancelled after that.
    """

    asked: int
    placed: int
    payment_begun: int
    paid: int
    shipped: int


def placed_between(begin: datetime, end: datetime) -> Placed:
    """From `begin` until before `end`. Two statements, each over a range of an index: keys are ordered by time."""
    first, beyond = first_key_of(begin), first_key_of(end)
    rows = Order.objects.filter(pk__gte=first, pk__lt=beyond).order_by().values_list("state")
    states: dict[str, int] = dict(rows.annotate(Count("pk")))
    asked = sum(states.values())
    paid = sum(states.get(state, 0) for state in PAID | {OrderState.CANCELLED_AFTER_PAY})
    return Placed(
        asked=asked,
        placed=asked - states.get(OrderState.REJECTED, 0),
        payment_begun=references_paid_for(encode(PREFIX, first), encode(PREFIX, beyond)),
        paid=paid,
        shipped=sum(states.get(state, 0) for state in SHIPPED),
    )
