from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import TypeVar

from checkout.selectors.standing import OrderStanding, paid_orders, standings
from payments.selectors import TakenMoney, money_taken
from reconciliation.matching import money_without_order, order_without_money
from reconciliation.models import Sighting
from reconciliation.services.look_again import look_again
from reconciliation.states import SightingKind

_CHUNK = 1000
_T = TypeVar("_T")


def sight_stuck_money(*, since: datetime | None) -> int:
    """This will compare orders and the money taken for them, begun `since` then or ever, and keep what does not fit.

    What was sighted earlier and fits by now is forgotten. Money is read before its order, and an order before its
    money: both are written in one transaction, so what is under way is not mistaken for stuck. Memory stays flat.
    Returns how many are sighted now.
    """
    for some in _chunks(money_taken(since=since)):
        orders = standings({taken.reference for taken in some})
        Sighting.objects.sight(
            [
                _of_money(taken, kind)
                for taken in some
                if (kind := money_without_order(taken, orders.get(taken.reference)))
            ]
        )
    for few in _chunks(paid_orders(since)):
        money = {taken.payment: taken for taken in money_taken({order.order for order in few})}
        Sighting.objects.sight(
            [_of_order(order) for order in few if order_without_money(order, money.get(order.paid_by))]
        )
    for known in _chunks(Sighting.objects.values_list("subject", flat=True).order_by("pk").iterator(_CHUNK)):
        look_again(subjects=known)
    return Sighting.objects.count()


def _of_money(taken: TakenMoney, kind: SightingKind) -> Sighting:
    return Sighting(
        kind=kind,
        subject=taken.payment,
        payment=taken.payment,
        reference=taken.reference,
        amount=taken.captured - taken.returning,
        currency=taken.currency,
    )


def _of_order(order: OrderStanding) -> Sighting:
    return Sighting(
        kind=SightingKind.ORDERED_NOT_PAID,
        subject=order.order,
        payment=order.paid_by,
        reference=order.order,
        amount=order.payable.minor,
        currency=order.payable.currency,
    )


def _chunks(rows: Iterable[_T]) -> Iterator[list[_T]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
