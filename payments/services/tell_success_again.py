from django.db import transaction

from ledger.audit import attribute, record
from payments import outbox, selectors
from payments.errors import NothingSecured
from payments.events import PaymentAuthorized, PaymentEvent, PaymentSucceeded
from payments.models import Payment
from payments.states import PaymentState


def tell_success_again(*, payment: str, actor: str, reason: str) -> None:
    """This will tell the handlers once more that the payment's money is here, or held; nobody else hears of it.

    For an order that did not hear of it the first time; one that did changes nothing. Owns its transaction; locks the
    payment, then what the handlers lock. Raises `PaymentNotFound`, `NothingSecured` when there is no money that
    counts, and what a handler raises.
    """
    found = selectors.payment(payment)
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        row = Payment.objects.locked().by_public_id(found.id).get()
        event = _news(row)
        record(action="payment.told_again", object_id=row.public_id)
        outbox.tell_handlers(event)


def _news(row: Payment) -> PaymentEvent:
    if row.surplus or row.state not in (PaymentState.SUCCEEDED, PaymentState.AUTHORIZED):
        raise NothingSecured(f"This payment is {row.state} and pays for nothing: look at its order.")
    if row.state == PaymentState.SUCCEEDED:
        return PaymentSucceeded(**row.told(), captured=row.amount_captured)
    held_until = row.held_until.isoformat() if row.held_until else ""
    return PaymentAuthorized(**row.told(), authorized=row.amount_authorized, held_until=held_until)
