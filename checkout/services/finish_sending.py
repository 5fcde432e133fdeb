from django.db import connection
from django.utils import timezone

from checkout.models import Order, Shipment
from checkout.selectors.shipments import nothing_to_send
from checkout.states import OrderState


def finish_sending(*, order: Order) -> None:
    """This will call a partly sent order sent, when the rest of it was refunded instead.

    An operation; the order must be locked.
    """
    assert connection.in_atomic_block, "finish_sending() is an operation"
    waits = Shipment.objects.waiting().filter(order=order).exists()
    if order.state == OrderState.FULFILLING and not waits and nothing_to_send(order):
        order.fulfil(timezone.now())
        order.save(update_fields=["state", "fulfilled_at"])
