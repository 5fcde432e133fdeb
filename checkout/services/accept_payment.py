from django.db import connection
from django.utils import timezone

from checkout.errors import CapturedDiffersFromOrder, OutOfStock
from checkout.events import OrderCancelledAfterPay, OrderPaid
from checkout.models import Order
from checkout.services.sell_stock import sell_stock
from checkout.services.take_stock import take_stock
from checkout.states import OrderState
from ledger.money import Money
from payments.outbox import publish
from payments.services.let_go import let_go
from payments.services.queue_refund import queue_refund


def accept_payment(*, order: str, payment: str, secured: Money, held: bool = False) -> None:
    """This will make the order PAID and its stock sold, or send the money back when that cannot be any more.

    An operation in the transaction that captured the money, or learnt that it is `held`; locks the order, then its
    stock. Told twice of the same payment, it does nothing. Money for a cancelled order takes the stock again; where
    it is gone, the order becomes CANCELLED_AFTER_PAY and the money goes back: by a refund, or by letting go of what
    is held. Money for an order that another payment paid goes back, too.
    Raises `CapturedDiffersFromOrder` when the sum is not the order's.
    """
    assert connection.in_atomic_block, "accept_payment() is an operation"
    row = Order.objects.locked().named(order).get()
    if row.paid_by == payment:
        return
    if secured != row.owed:
        raise CapturedDiffersFromOrder(f"{payment} brought {secured}, {order} is about {row.owed}.")
    if row.state == OrderState.PENDING_PAYMENT or (row.state == OrderState.CANCELLED and _take_again(row)):
        _sell(row, payment)
    elif row.state == OrderState.CANCELLED:
        _compensate(row, payment, held)
    else:
        _send_back(row, payment, held, "Another payment of the same order counts")


def _take_again(row: Order) -> bool:
    quantities = dict(row.lines.values_list("sku_id", "quantity"))
    try:
        take_stock(order=row, quantities=quantities, expires_at=timezone.now())
    except OutOfStock:
        return False
    return True


def _sell(row: Order, payment: str) -> None:
    row.pay(payment)
    row.save(update_fields=["state", "paid_by"])
    sell_stock(order=row)
    publish(OrderPaid(reference=row.public_id, payable=row.payable, currency=row.currency, payment=payment))


def _compensate(row: Order, payment: str, held: bool) -> None:
    row.compensate(payment)
    row.save(update_fields=["state", "paid_by"])
    _send_back(row, payment, held, "The order was cancelled and its stock is gone")
    publish(
        OrderCancelledAfterPay(
            reference=row.public_id,
            payable=row.payable,
            currency=row.currency,
            payment=payment,
            reason="out_of_stock",
        )
    )


def _send_back(row: Order, payment: str, held: bool, reason: str) -> None:
    if held:
        let_go(payment=payment, reason="not_owed")
        return
    queue_refund(
        payment=payment,
        amount=None,
        reason=reason,
        actor="system",
        key=f"{row.public_id}:compensation:{payment}",
    )
