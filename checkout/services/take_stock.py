from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import connection

from checkout.errors import OutOfStock
from checkout.models import Order, Reservation, Stock


def take_stock(*, order: Order, quantities: Mapping[UUID, int], expires_at: datetime) -> None:
    """This will hold the articles (quantities by SKU key) for the order until `expires_at`: all of them or none.

    An operation; locks the stock rows in the order of their keys. Raises `OutOfStock` naming what is short and how
    many remain.
    """
    assert connection.in_atomic_block, "take_stock() is an operation"
    if not Stock.objects.take(quantities):
        raise _shortage(quantities)
    Reservation.objects.bulk_create(
        Reservation(order=order, sku_id=sku, quantity=quantity, expires_at=expires_at)
        for sku, quantity in quantities.items()
    )


def _shortage(quantities: Mapping[UUID, int]) -> OutOfStock:
    for stock in Stock.objects.filter(pk__in=quantities).select_related("sku").order_by("pk"):
        wanted, remaining = quantities[stock.pk], stock.available
        if remaining < wanted:
            code = stock.sku.code
            left = f"only {remaining} of {code} remain" if remaining else f"{code} is sold out"
            return OutOfStock(
                f"You want {wanted}, but {left}.", param="items", sku=code, wanted=wanted, remaining=remaining
            )
    return OutOfStock("One of the articles is sold out; look at the cart again.", param="items")
