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


class ShipmentState(StrEnum):
    WAITING_FOR_MONEY = "WAITING_FOR_MONEY"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    CALLED_OFF = "CALLED_OFF"


class NotificationKind(StrEnum):
    ORDER_PAID = "order_paid"
    REST_CANCELLED = "rest_cancelled"
    CONFIRM = "confirm"  # a reviewer wants the payment confirmed


# The customer's money is secured: with us (or was, until a refund), or held until the goods are sent.
PAID = frozenset({OrderState.PAID, OrderState.FULFILLING, OrderState.FULFILLED, OrderState.DONE})
# What counts against a purchase limit.
BOUGHT = PAID | {OrderState.PENDING_PAYMENT}
