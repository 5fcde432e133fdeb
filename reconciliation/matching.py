"""How ours and theirs differ, and what that may cost. Pure."""

from checkout.selectors.standing import OrderStanding
from checkout.states import PAID, OrderState
from ledger.money import Money
from payments.selectors import TakenMoney
from reconciliation.states import DiscrepancyKind, SightingKind


def difference(ours: Money, told: Money | None) -> tuple[DiscrepancyKind, Money]:
    """The kind of a mismatch and the amount at risk, in our currency.

    In one currency, that is what lies between the two; otherwise nothing of ours is certain.
    """
    if told is not None and told.currency == ours.currency:
        return DiscrepancyKind.AMOUNT, Money(abs(told.minor - ours.minor), ours.currency)
    return DiscrepancyKind.CURRENCY, ours


def money_without_order(taken: TakenMoney, order: OrderStanding | None) -> SightingKind | None:
    """What is wrong with money that was taken: nothing when it pays for its order, or is on its way back."""
    if taken.returning >= taken.captured:
        return None
    if order is None or order.state in (OrderState.PENDING_PAYMENT, OrderState.CANCELLED):
        return SightingKind.PAID_NOT_ORDERED
    if order.paid_by != taken.payment:
        return SightingKind.SURPLUS_NOT_REFUNDED
    if order.state == OrderState.CANCELLED_AFTER_PAY:
        return SightingKind.CANCELLED_NOT_REFUNDED
    return None


def order_without_money(order: OrderStanding, taken: TakenMoney | None) -> bool:
    """Whether it counts as paid, and nothing was taken or is held for it."""
    return order.state in PAID and (taken is None or not (taken.captured or taken.held))
