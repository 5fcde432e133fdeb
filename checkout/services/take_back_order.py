from django.db import connection

from checkout.errors import StockBooksDisagree
from checkout.events import OrderCancelledAfterPay
from checkout.models import Order, Stock
from checkout.selectors.refunds import what_is_left
from checkout.states import OrderState
from payments.outbox import publish


def take_back_order(*, order: Order, payment: str, reason: str) -> None:
    """This will cancel a paid order whose money is gone before any of it was shipped; its goods are for sale again.

    An operation; the order must be locked; locks its stock. What went back article by article was decided with that
    refund; here are those that no refund named. Another payment's money, or an order that is not just PAID, changes
    nothing: goods that may have left the house are a person's matter.
    """
    assert connection.in_atomic_block, "take_back_order() is an operation"
    if order.state != OrderState.PAID or order.paid_by != payment:
        return
    order.take_back()
    order.save(update_fields=["state"])
    skus = dict(order.lines.values_list("pk", "sku_id"))
    unnamed = {skus[line.key]: line.quantity for line in what_is_left(order).lines if line.quantity}
    if unnamed and not Stock.objects.put_back(unnamed):
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
