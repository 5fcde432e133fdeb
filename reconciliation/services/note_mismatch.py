"""Note that a provider spoke of another amount or currency than ours."""

from django.db import connection

from ledger.money import Money, UnknownCurrency
from reconciliation.matching import difference
from reconciliation.models import Discrepancy


def note_mismatch(
    *,
    channel: str,
    subject: str,
    reference: str,
    ours: Money,
    told_amount: int,
    told_currency: str,
    source: str,
) -> None:
    """This will open a discrepancy for payment `subject`, or count the one that says the same already.

    Amounts in minor units; an empty `told_currency` means that they named none. Needs an open transaction.
    """
    assert connection.in_atomic_block, "note_mismatch() belongs to the transaction that refused the amount"
    kind, at_risk = difference(ours, _money(told_amount, told_currency))
    Discrepancy.objects.note(
        channel=channel,
        subject=subject,
        kind=kind.value,
        amount=ours.minor,
        currency=ours.currency,
        told_amount=told_amount,
        told_currency=told_currency,
        amount_at_risk=at_risk.minor,
        reference=reference,
        source=source,
    )


def _money(minor: int, currency: str) -> Money | None:
    """None for what is no money at all: whatever they say must end in a discrepancy and never in an error."""
    try:
        return Money(minor, currency)
    except UnknownCurrency:
        return None
