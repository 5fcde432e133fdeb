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
