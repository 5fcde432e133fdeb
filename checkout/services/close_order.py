from django.db import connection

from checkout.events import OrderCancelled
from checkout.models import Order
from checkout.services.free_stock import free_stock
from payments.outbox import publish


def close_order(*, order: Order, reason: str) -> None:
    """This will cancel the unpaid order and free its stock.

    An operation; the order must be locked and waiting for payment, and no payment of it may take money any more.
    """
    assert connection.in_atomic_block, "close_order() is an operation"
    order.cancel()
    order.save(update_fields=["state"])
    free_stock(order=order)
    publish(
        OrderCancelled(
            reference=order.public_id, payable=order.payable, currency=order.currency, reason=reason
        )
    )
