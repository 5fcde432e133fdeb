from collections import Counter
from uuid import UUID

from django.db import connection
from django.db.models import F

from checkout.errors import StockBooksDisagree
from checkout.events import OrderCancelledAfterPay
from checkout.models import Order, RefundLine, Shipment, Stock
from checkout.selectors.refunds import what_is_left
from checkout.services.call_off_shipment import call_off_shipment
from checkout.states import OrderState
from payments.outbox import publish


def take_back_order(*, order: Order, payment: str, reason: str) -> None:
    """This will cancel a paid order whose money is gone before any of it was shipped; its goods are for sale again.

    An operation; the order must be locked; locks its waiting shipments, which are called off, then its stock. What
    went back article by article was decided with that refund; here are those that no refund named, or only when they
    were packed. Another payment's money, or an order that is not just PAID, changes nothing: goods that may have left
    the house are a person's matter.
    """
    assert connection.in_atomic_block, "take_back_order() is an operation"
    if order.state != OrderState.PAID or order.paid_by != payment:
        return
    order.take_back()
    order.save(update_fields=["state"])
    skus = dict(order.lines.values_list("pk", "sku_id"))
    here = Counter({skus[line.key]: line.quantity for line in what_is_left(order).lines if line.quantity})
    here.update(_unpacked(order, reason))
    if here and not Stock.objects.put_back(here):
        raise StockBooksDisagree(f"The stock of {order.public_id} is gone.")
    publish(
        OrderCancelledAfterPay(
            reference=order.public_id,
            payable=order.payable,
            currency=order.currency,
            payment=payment,
            reason=reason,
        )
    )


def _unpacked(order: Order, reason: str) -> Counter[UUID]:
    """What waited in a parcel while it was refunded, so that nobody knew whether it would leave."""
    for parcel in Shipment.objects.waiting().filter(order=order).locked():
        call_off_shipment(shipment=parcel, refusal=reason)
    back: Counter[UUID] = Counter()
    named = RefundLine.objects.filter(order=order, released=False, unsent__lt=F("quantity"))
    for part in named.select_related("line"):
        assert part.line is not None, "only goods have a quantity"
        packed = part.quantity - max(part.unsent, part.restocked)
        back[part.line.sku_id] += packed
        part.restock, part.restocked = part.restock + packed, part.restocked + packed
        part.unsent = part.quantity
        part.save(update_fields=["unsent", "restock", "restocked"])
    return +back
