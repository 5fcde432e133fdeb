"""What happens to an order when something happens to its payment, in the transaction in which it happens.

The payment's row is locked by then; here the order follows, then its stock. All of it may be told twice.
"""

from datetime import datetime, timedelta

from django.utils import timezone

from checkout.errors import OrderNotPayable
from checkout.models import Order
from checkout.services.accept_payment import accept_payment
from checkout.services.claim_refund_lines import claim_refund_lines
from checkout.services.close_order import close_order
from checkout.services.extend_hold import LONGEST_IN_REVIEW, LONGEST_WITH_CUSTOMER, extend_hold
from checkout.services.release_refund_lines import release_refund_lines
from checkout.services.return_goods import return_goods
from checkout.services.take_back_order import take_back_order
from checkout.states import OrderState
from ledger.money import Money
from payments.events import (
    PaymentActionRequired,
    PaymentCancelled,
    PaymentFailed,
    PaymentHeldForReview,
    PaymentStarted,
    PaymentSucceeded,
    RefundAwaitingApproval,
    RefundFailed,
    RefundRequested,
    RefundSucceeded,
)

_REFUSED_FOR_GOOD = {"review_rejected", "review_expired", "risk_rejected"}
# A result that was on its way when the time ran out still finds its stock.
_GRACE = timedelta(minutes=2)


def payment_started(event: PaymentStarted) -> None:
    """Veto unless the order waits for just this sum and there is time left."""
    row = Order.objects.locked().named(event.reference).get()
    if row.state != OrderState.PENDING_PAYMENT:
        raise OrderNotPayable("This order is not waiting for payment.")
    if row.expires_at <= timezone.now():
        raise OrderNotPayable("The time to pay is over; order again.")
    if Money(event.amount, event.currency) != row.owed:
        raise OrderNotPayable("The sum is not what this order costs.")


def payment_action_required(event: PaymentActionRequired) -> None:
    until = datetime.fromisoformat(event.expires_at) + _GRACE
    longest = LONGEST_IN_REVIEW if event.reviewed else LONGEST_WITH_CUSTOMER
    extend_hold(order=event.reference, until=until, longest=longest)


def payment_held_for_review(event: PaymentHeldForReview) -> None:
    until = datetime.fromisoformat(event.decide_by) + _GRACE
    extend_hold(order=event.reference, until=until, longest=LONGEST_IN_REVIEW)


def payment_succeeded(event: PaymentSucceeded) -> None:
    captured = Money(event.captured, event.currency)
    accept_payment(order=event.reference, payment=event.payment, captured=captured)


def payment_failed(event: PaymentFailed) -> None:
    """The order keeps waiting: the customer may try again, in another way, while the stock is held."""


def payment_cancelled(event: PaymentCancelled) -> None:
    """Refused for good ends the order; a payment that was closed otherwise leaves it open for another."""
    if event.reason not in _REFUSED_FOR_GOOD:
        return
    row = Order.objects.locked().named(event.reference).get()
    if row.state == OrderState.PENDING_PAYMENT:
        close_order(order=row, reason=event.reason)


def refund_requested(event: RefundRequested | RefundAwaitingApproval) -> None:
    """Veto the new try of a refund whose articles were refunded in another way."""
    row = Order.objects.locked().named(event.reference).get()
    claim_refund_lines(order=row, refund=event.refund)


def refund_failed(event: RefundFailed) -> None:
    row = Order.objects.locked().named(event.reference).get()
    release_refund_lines(order=row, refund=event.refund)


def refund_succeeded(event: RefundSucceeded) -> None:
    row = Order.objects.locked().named(event.reference).get()
    return_goods(order=row, refund=event.refund)
    take_back_order(order=event.reference, payment=event.payment, refunded_total=event.refunded_total)
