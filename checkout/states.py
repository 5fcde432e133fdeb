"""The states of orders and stock reservations, and what they mean together. Pure."""

from enum import StrEnum


class OrderState(StrEnum):
    CREATING = "CREATING"
    REJECTED = "REJECTED"
    PENDING_PAYMENT = "PENDING_PAYMENT"
    CANCELLED = "CANCELLED"
    PAID = "PAID"
    FULFILLING = "FULFILLING"
    FULFILLED = "FULFILLED"
    DONE = "DONE"
    CANCELLED_AFTER_PAY = "CANCELLED_AFTER_PAY"


class ReservationState(StrEnum):
    RESERVED = "RESERVED"
    CONFIRMED = "CONFIRMED"
    RELEASED = "RELEASED"


class NotificationKind(StrEnum):
    ORDER_PAID = "order_paid"


# The customer's money is with us (or was, until a refund).
PAID = frozenset({OrderState.PAID, OrderState.FULFILLING, OrderState.FULFILLED, OrderState.DONE})
# What counts against a purchase limit.
BOUGHT = PAID | {OrderState.PENDING_PAYMENT}
