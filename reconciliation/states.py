"""The states and kinds of discrepancies. Pure."""

from enum import StrEnum


class DiscrepancyState(StrEnum):
    OPEN = "OPEN"
    INVESTIGATING = "INVESTIGATING"
    RESOLVED = "RESOLVED"
    WRITTEN_OFF = "WRITTEN_OFF"


class DiscrepancyKind(StrEnum):
    """How theirs differs from ours."""

    AMOUNT = "amount"
    CURRENCY = "currency"


CLOSED = frozenset({DiscrepancyState.RESOLVED, DiscrepancyState.WRITTEN_OFF})


class SightingKind(StrEnum):
    """How an order and the money for it do not belong together."""

    PAID_NOT_ORDERED = "paid_not_ordered"
    ORDERED_NOT_PAID = "ordered_not_paid"
    CANCELLED_NOT_REFUNDED = "cancelled_not_refunded"
    SURPLUS_NOT_REFUNDED = "surplus_not_refunded"
