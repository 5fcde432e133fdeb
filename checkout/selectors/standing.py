"""How orders stand to their money, for those who compare the two."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from checkout.models import Order
from checkout.models.orders import PREFIX
from checkout.states import PAID, OrderState
from ledger.identifiers import MalformedIdentifier, decode, first_key_of
from ledger.money import Money

_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class OrderStanding:
    order: str
    state: OrderState
    paid_by: str
    payable: Money


def standings(references: Collection[str]) -> dict[str, OrderStanding]:
    """By reference; what is no order is left out."""
    keys = [key for reference in references if (key := _key(reference))]
    return {row.public_id: _standing(row) for row in Order.objects.filter(pk__in=keys)}


def paid_orders(since: datetime | None = None) -> Iterator[OrderStanding]:
    """Every order that counts as paid, placed `since` then or at any time; in key order, with flat memory."""
    rows = Order.objects.filter(state__in=sorted(PAID)).order_by("pk")
    if since is not None:
        rows = rows.filter(pk__gte=first_key_of(since))
    for row in rows.iterator(_CHUNK):
        yield _standing(row)


def _standing(row: Order) -> OrderStanding:
    return OrderStanding(row.public_id, OrderState(row.state), row.paid_by, row.owed)


def _key(reference: str) -> UUID | None:
    try:
        return decode(PREFIX, reference)
    except MalformedIdentifier:
        return None
