"""How ours and theirs differ, and what that may cost. Pure."""

from ledger.money import Money
from reconciliation.states import DiscrepancyKind


def difference(ours: Money, told: Money | None) -> tuple[DiscrepancyKind, Money]:
    """The kind of a mismatch and the amount at risk, in our currency.

    In one currency, that is what lies between the two; otherwise nothing of ours is certain.
    """
    if told is not None and told.currency == ours.currency:
        return DiscrepancyKind.AMOUNT, Money(abs(told.minor - ours.minor), ours.currency)
    return DiscrepancyKind.CURRENCY, ours
