"""What reconciliation does when an event happens, in the publisher's transaction."""

from ledger.money import Money
from payments.events import PaymentMismatched
from reconciliation.services.note_mismatch import note_mismatch


def payment_mismatched(event: PaymentMismatched) -> None:
    note_mismatch(
        channel=event.channel,
        subject=event.payment,
        reference=event.reference,
        ours=Money(event.amount, event.currency),
        told_amount=event.told_amount,
        told_currency=event.told_currency,
        source=event.source,
    )
