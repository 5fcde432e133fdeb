"""What a customer may still pay, known before the attempt."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from checkout.errors import CustomerLimitReached
from checkout.facts import READ_ORDERS, Viewer
from checkout.models import Order
from checkout.selectors.orders import find
from checkout.selectors.screening import account_facts
from ledger.money import Money
from payments.selectors import offered_methods, payments_of
from risk.allowances import DAY, MONTH, PAYMENT, Shortage, shortages
from risk.facts import CustomerFacts

_PER = {PAYMENT: "for one payment", DAY: "a day", MONTH: "a month"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentOption:
    """A way to pay an order; with a `shortage` it is not available for the order's amount."""

    method: str
    shortage: Shortage | None


def payment_options(order: str, viewer: Viewer, now: datetime) -> list[PaymentOption]:
    """Every method that is offered, and whether the customer's limits leave room for the order.

    Raises `OrderNotFound`.
    """
    row = find(order, viewer, READ_ORDERS)
    methods = sorted(offered_methods())
    short = shortages_of_order(row, methods, now)
    return [PaymentOption(method=method, shortage=short.get(method)) for method in methods]


def shortages_of_order(
    row: Order, methods: Iterable[str], now: datetime, customer: CustomerFacts | None = None
) -> dict[str, Shortage]:
    """By method; what the order's own payment has taken of the limits makes room for the next try.

    `customer` is what risk is told of the one who ordered, where that is known already.
    """
    if row.user_id is None:
        return {}
    own = [payment.id for payment in payments_of(row.public_id)]
    known = customer or account_facts(row.user_id)
    return shortages(customer=known, amount=row.owed, methods=methods, now=now, besides=own)


def require_room(short: Shortage | None) -> None:
    """Raises `CustomerLimitReached` where there is a shortage."""
    if short is None:
        return
    what_to_do = "Pay less, or later." if short.everywhere else "Choose another method."
    raise CustomerLimitReached(
        f"Of {short.limit.formatted()} {_PER[short.period]} {short.left.formatted()} is left. {what_to_do}",
        param=None if short.everywhere else "method",
        period=short.period,
        left=short.left.minor,
        limit=short.limit.minor,
        currency=short.limit.currency,
    )


def shortages_of(
    *, user_id: int | None, amount: Money, methods: Iterable[str], now: datetime
) -> dict[str, Shortage]:
    """By method; none for guests, who have no limits."""
    if user_id is None:
        return {}
    return shortages(customer=account_facts(user_id), amount=amount, methods=methods, now=now)
