from django.db import transaction

from ledger.audit import attribute
from payments import selectors
from payments.errors import PaymentNotCapturable
from payments.models import Attempt, Payment
from payments.selectors import PaymentView
from payments.services.ask_first import ask_first
from payments.services.refuse_while_moving import refuse_while_moving
from payments.services.send_attempt import send_attempt
from payments.states import AttemptKind, PaymentState


def release_rest(*, payment: str, actor: str, reason: str, note: str = "") -> PaymentView:
    """This will let go of what is left of a partly captured hold; what was captured stays.

    Opens its own transactions and asks the channel between them; what is UNKNOWN of the payment is asked about
    first. With nothing left it changes nothing. `note` is a person's own words, for the audit trail. The payment
    comes back with nothing held; or as it was, when the channel gave no clear answer (the janitor goes on). Raises
    `PaymentNotFound`, `PaymentNotCapturable` (nothing was captured: cancel it instead), `PaymentInProgress`,
    `PaymentOutcomeUnknown`.
    """
    found = selectors.payment(payment)
    ask_first(payment=found.id)
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=note or reason)
        row = Payment.objects.locked().by_public_id(found.id).get()
        void = _begin(row, reason)
    if void:
        send_attempt(attempt=void)
    return selectors.payment(found.id)


def _begin(payment: Payment, reason: str) -> Attempt | None:
    if payment.state != PaymentState.SUCCEEDED:
        raise PaymentNotCapturable("Nothing was captured of this payment; cancel it instead.")
    if not payment.held:
        return None
    refuse_while_moving(payment=payment)
    return Attempt.objects.begin_and_send(
        payment,
        AttemptKind.VOID,
        channel=payment.attempts.start_of().channel,
        amount=payment.held,
        request={"reason": reason[:80]},
    )
