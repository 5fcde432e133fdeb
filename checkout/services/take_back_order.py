from django.db import connection

from checkout.errors import StockBooksDisagree
from checkout.events import OrderCancelledAfterPay
from checkout.models import Order, Stock
from checkout.states import OrderState
from payments.outbox import publish


def take_back_order(*, order: Order, payment: str, reason: str) -> None:
    """This will cancel a paid order whose money is gone before any of it was shipped; its goods are for sale again.

    An operation; the order must be locked; locks its stock. Another payment's money, or an order that is not just
    PAID, changes nothing: goods that may have left the house are a person's matter.
    """
    assert connection.in_atomic_block, "take_back_order() is an operation"
    if order.state != OrderState.PAID or order.paid_by != payment:
        return
    order.take_back()
    order.save(update_fields=["state"])
    if not Stock.objects.put_back(dict(order.lines.values_list("sku_id", "quantity"))):
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
