from django.db import connection

from checkout.errors import StockBooksDisagree
from checkout.events import OrderCancelledAfterPay
from checkout.models import Order, Stock
from checkout.selectors.refunds import what_is_left
from checkout.states import OrderState
from payments.outbox import publish


def take_back_order(*, order: str, payment: str, refunded_total: int) -> None:
    """This will cancel a paid order of which all money went back before it was shipped; its goods are for sale again.

    An operation; locks the order, then its stock. What went back article by article was decided with that refund; here
    are those that no refund named. A part of the money (minor units), another payment's money, or an
    order that is not just PAID changes nothing: goods that may have left the house are a person's matter.
    """
    assert connection.in_atomic_block, "take_back_order() is an operation"
    row = Order.objects.locked().named(order).get()
    if row.state != OrderState.PAID or row.paid_by != payment or refunded_total < row.payable:
        return
    row.take_back()
    row.save(update_fields=["state"])
    skus = dict(row.lines.values_list("pk", "sku_id"))
    unnamed = {skus[line.key]: line.quantity for line in what_is_left(row).lines if line.quantity}
    if unnamed and not Stock.objects.put_back(unnamed):
        raise StockBooksDisagree(f"The stock of {order} is gone.")
    publish(
        OrderCancelledAfterPay(
            reference=order, payable=row.payable, currency=row.currency, payment=payment, reason="refunded"
        )
    )
