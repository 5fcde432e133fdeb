from django.db import connection

from checkout.models import Order, Shipment
from checkout.selectors.shipments import money_for
from checkout.services.send_shipment import send_shipment


def resume_shipment(*, order: Order) -> None:
    """This will let the order's waiting shipment leave, if its money is there now.

    An operation; the order must be locked; locks the shipment.
    """
    assert connection.in_atomic_block, "resume_shipment() is an operation"
    for row in Shipment.objects.waiting().filter(order=order).locked():
        row.order = order
        taken, _ = money_for(order)
        if taken >= row.amount:
            send_shipment(shipment=row)
