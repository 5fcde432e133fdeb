"""Security notices: what a customer should know before any money moves. What risk saw is not said."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from checkout import selectors
from checkout.selectors import OrderView
from checkout.views.session import viewer_of
from checkout.views.situation import Situation, Stage
from ledger.money import Money
from payments.states import PaymentMethod
from risk.selectors import asks_customer

# Where the customer commits to pay.
_BEFORE_PAYING = frozenset({Stage.CHOOSE, Stage.FAILED})
_AT_THE_BANK = frozenset({Stage.CHALLENGE, Stage.REDIRECT})


def before_paying(request: HttpRequest, amount: Money | None) -> dict[str, Any]:
    """Asks the database once, and not at all about a guest who has ordered nothing here."""
    return {"first_payment": not selectors.has_paid_before(viewer_of(request)), **of_amount(amount)}


def of_amount(amount: Money | None) -> dict[str, Any]:
    most: int | None = settings.LARGE_PAYMENT_ABOVE.get(amount.currency) if amount else None
    is_large = amount is not None and most is not None and amount.minor > most
    return {"large_payment": amount if is_large else None}


def on_the_way(request: HttpRequest, order: OrderView, situation: Situation) -> dict[str, Any]:
    """What the payment's and the result's page say, wherever the payment stands."""
    if situation.stage in _BEFORE_PAYING and order.can_pay:
        return before_paying(request, order.payable)
    return {"risk_noticed": _risk_noticed(situation)}


def _risk_noticed(situation: Situation) -> bool:
    """Whether it is ours, not the bank's habit, that the payment does not simply go through."""
    if situation.stage in (Stage.CONFIRM, Stage.REVIEW):
        return True
    payment = situation.payment
    if payment is None or situation.stage not in _AT_THE_BANK or payment.method != PaymentMethod.CARD:
        return False
    return bool(payment.decision) and asks_customer(payment.decision)
