"""What happens to an order when something happens to its payment, in the transaction in which it happens.

The payment's row is locked by then; here the order follows, then its stock. All of it may be told twice.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from checkout.errors import OrderNotPayable
from checkout.models import Order, Shipment
from checkout.selectors.shipments import is_refunded
from checkout.services.accept_payment import accept_payment
from checkout.services.book_returns import book_returns
from checkout.services.call_off_shipment import call_off_shipment
from checkout.services.claim_refund_lines import claim_refund_lines
from checkout.services.close_order import close_order
from checkout.services.close_rest import close_rest
from checkout.services.extend_hold import LONGEST_IN_REVIEW, LONGEST_WITH_CUSTOMER, extend_hold
from checkout.services.finish_sending import finish_sending
from checkout.services.release_refund_lines import release_refund_lines
from checkout.services.resume_shipment import resume_shipment
from checkout.services.return_goods import return_goods
from checkout.services.take_back_order import take_back_order
from checkout.states import OrderState
from ledger.money import Money
from payments.events import (
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCancelled,
    PaymentCaptured,
    PaymentCaptureRefused,
    PaymentEvent,
    PaymentFailed,
    PaymentHeldForReview,
    PaymentReleased,
    PaymentStarted,
    PaymentSucceeded,
    RefundAwaitingApproval,
    RefundFailed,
    RefundRequested,
    RefundSucceeded,
)
from payments.states import PaymentMethod

_REFUSED_FOR_GOOD = {
    "review_rejected",
    "review_expired",
    "risk_rejected",
    "challenge_failed",
    "challenge_expired",
}
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
    if event.method == PaymentMethod.BANK_TRANSFER:
        longest += settings.BANK_TRANSFER_HOLD
    extend_hold(order=event.reference, until=until, longest=longest)


def payment_held_for_review(event: PaymentHeldForReview) -> None:
    until = datetime.fromisoformat(event.decide_by) + _GRACE
    extend_hold(order=event.reference, until=until, longest=LONGEST_IN_REVIEW)


def payment_authorized(event: PaymentAuthorized) -> None:
    """Held until the goods are sent: the order is as good as paid."""
    secured = Money(event.authorized, event.currency)
    accept_payment(order=event.reference, payment=event.payment, secured=secured, held=True)


def payment_succeeded(event: PaymentSucceeded) -> None:
    accept_payment(
        order=event.reference, payment=event.payment, secured=Money(event.captured, event.currency)
    )
    resume_shipment(order=_locked(event))


def payment_captured(event: PaymentCaptured) -> None:
    resume_shipment(order=_locked(event))


def payment_capture_refused(event: PaymentCaptureRefused) -> None:
    """The shipment that waited for this money stays here."""
    order = _locked(event)
    for row in Shipment.objects.waiting().filter(order=order).locked():
        if row.capture_key == event.capture:
            call_off_shipment(shipment=row, refusal=event.code)


def payment_released(event: PaymentReleased) -> None:
    """What was not sent of the order has no money any more."""
    order = _locked(event)
    if order.paid_by == event.payment:
        close_rest(order=order, reason=event.reason)


def payment_failed(event: PaymentFailed) -> None:
    """The order keeps waiting: the customer may try again, in another way, while the stock is held."""


def payment_cancelled(event: PaymentCancelled) -> None:
    """Refused for good ends the order, and so does a hold that is gone from under a paid one.

    A payment that was closed otherwise leaves the order open for another.
    """
    row = _locked(event)
    if row.state == OrderState.PENDING_PAYMENT and event.reason in _REFUSED_FOR_GOOD:
        close_order(order=row, reason=event.reason)
    elif row.paid_by == event.payment:
        for parcel in Shipment.objects.waiting().filter(order=row).locked():
            call_off_shipment(shipment=parcel, refusal=event.reason)
        take_back_order(order=row, payment=event.payment, reason=event.reason)


def refund_requested(event: RefundRequested | RefundAwaitingApproval) -> None:
    """Veto the new try of a refund whose articles were refunded in another way."""
    claim_refund_lines(order=_locked(event), refund=event.refund)


def refund_failed(event: RefundFailed) -> None:
    """One that had gone out and came back is money for the goods again."""
    row = _locked(event)
    release_refund_lines(order=row, refund=event.refund)
    if row.paid_by == event.payment:
        book_returns(order=row)


def refund_succeeded(event: RefundSucceeded) -> None:
    row = _locked(event)
    return_goods(order=row, refund=event.refund)
    if row.paid_by != event.payment:
        return
    if is_refunded(row):
        take_back_order(order=row, payment=event.payment, reason="refunded")
    book_returns(order=row)
    finish_sending(order=row)


def _locked(event: PaymentEvent) -> Order:
    return Order.objects.locked().named(event.reference).get()
