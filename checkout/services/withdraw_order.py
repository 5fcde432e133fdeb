from datetime import datetime

from django.db import transaction

from checkout.errors import OrderNotCancellable, PaymentStillOpen
from checkout.models import Order
from checkout.services.close_order import close_order
from checkout.states import OrderState
from ledger.audit import attribute
from payments.errors import PaymentAlreadySucceeded, PaymentOutcomeUnknown
from payments.selectors import live_payment, payment
from payments.services.cancel_payment import cancel_payment
from payments.states import PaymentState


def withdraw_order(*, order: str, actor: str, reason: str, overdue_at: datetime | None = None) -> bool:
    """This will close the order's open payment at its provider, then cancel the order and free its stock.

    For an operator also that of an order whose money is only held, before any of it was shipped: it becomes
    CANCELLED_AFTER_PAY in the transaction that learns that the hold is gone.
    `overdue_at` leaves an order alone whose time is not over at that moment. Returns whether it cancelled: False when
    it was cancelled already or is not overdue. Raises `OrderNotCancellable`, and while money may be moving
    `PaymentStillOpen`, `payments.errors.PaymentOutcomeUnknown` or `PaymentInProgress`. Asks the provider outside any
    transaction; then its own transaction under the order's lock, where nothing that could still take money may have
    begun meanwhile.
    """
    found = Order.objects.named(order).get()
    if found.state == OrderState.CANCELLED_AFTER_PAY and reason == "operator":
        return False
    if found.state == OrderState.PAID and reason == "operator":
        _let_hold_go(found, actor)
        return True
    if not _may_be_withdrawn(found, overdue_at):
        return False
    _close_payment(order, actor, reason)
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        row = Order.objects.locked().named(order).get()
        if not _may_be_withdrawn(row, overdue_at):
            return False
        if live_payment(order):
            raise PaymentStillOpen("A payment of this order has just begun; try again in a moment.")
        close_order(order=row, reason=reason)
    return True


def _let_hold_go(row: Order, actor: str) -> None:
    if payment(row.paid_by).state != PaymentState.AUTHORIZED:
        raise OrderNotCancellable("This order's money was taken; refund it instead.")
    try:
        after = cancel_payment(payment=row.paid_by, actor=actor, reason="merchant")
    except PaymentAlreadySucceeded as paid:
        raise OrderNotCancellable("This order's money was taken; refund it instead.") from paid
    if after.state != PaymentState.CANCELLED:
        raise PaymentOutcomeUnknown(
            "The provider has not confirmed that the money is let go; try again later."
        )


def _may_be_withdrawn(row: Order, overdue_at: datetime | None) -> bool:
    if row.state == OrderState.CANCELLED:
        return False
    if row.state != OrderState.PENDING_PAYMENT:
        raise OrderNotCancellable("This order is not open any more; if it is paid, ask for a refund instead.")
    return overdue_at is None or row.expires_at <= overdue_at


def _close_payment(order: str, actor: str, reason: str) -> None:
    live = live_payment(order)
    if live is None:
        return
    try:
        after = cancel_payment(payment=live.id, actor=actor, reason=reason)
    except PaymentAlreadySucceeded as paid:
        raise OrderNotCancellable("This order is paid; ask for a refund instead.") from paid
    if after.state == PaymentState.SUCCEEDED:
        raise OrderNotCancellable("The payment went through meanwhile; ask for a refund instead.")
    if after.state != PaymentState.CANCELLED:
        raise PaymentOutcomeUnknown(
            "The provider has not confirmed that the payment is closed; try again later."
        )
