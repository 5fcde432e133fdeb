from django.db import IntegrityError, transaction

from ledger.audit import attribute
from ledger.money import Money
from payments import selectors
from payments.channels import registry
from payments.channels.contract import Capability
from payments.errors import CaptureExceedsHeld, CaptureKeyReused, PaymentNotCapturable
from payments.models import Attempt, Payment
from payments.selectors import PaymentView
from payments.services.ask_first import ask_first
from payments.services.refuse_while_moving import refuse_while_moving
from payments.services.send_attempt import send_attempt
from payments.states import AttemptKind, PaymentState


def capture_payment(
    *, payment: str, amount: Money | None, final: bool, actor: str, reason: str, key: str
) -> PaymentView:
    """This will take `amount` (None: all) of what the payment holds; a `final` capture lets go of the rest.

    Opens its own transactions and asks the channel between them; what is UNKNOWN of the payment is asked about
    first. `key` is the caller's name for this capture: the same key returns what the first led to. Where the
    channel captures once, the first capture is the last. The payment comes back SUCCEEDED; or as it was, when the
    channel refused, or gave no clear answer (the janitor goes on). Raises `PaymentNotFound`,
    `PaymentNotCapturable`, `CaptureExceedsHeld`, `CaptureKeyReused`, `PaymentInProgress`, `PaymentOutcomeUnknown`.
    """
    found = selectors.payment(payment)
    ask_first(payment=found.id)
    try:
        with transaction.atomic(durable=True):
            attribute(actor=actor, reason=reason)
            row = Payment.objects.locked().by_public_id(found.id).get()
            capture = _begin(row, amount, final, key)
    except IntegrityError as error:
        raise CaptureKeyReused("This capture key was used for another payment; use a new key.") from error
    if capture:
        send_attempt(attempt=capture)
    return selectors.payment(found.id)


def _begin(payment: Payment, amount: Money | None, final: bool, key: str) -> Attempt | None:
    """The capture to be sent; None when it was asked for before."""
    earlier = payment.attempts.filter(business_key=key).first()
    if earlier:
        if amount is not None and amount != earlier.money:
            raise CaptureKeyReused("This capture key was used for another sum; use a new key.", param="key")
        return None
    if payment.state not in (PaymentState.AUTHORIZED, PaymentState.SUCCEEDED) or not payment.held:
        raise PaymentNotCapturable("Nothing is held for this payment: there is nothing to capture.")
    refuse_while_moving(payment=payment)
    start = payment.attempts.start_of()
    wanted = _wanted(payment, amount)
    can = registry.channel(start.channel).capabilities
    if wanted < payment.held and Capability.PARTIAL_CAPTURE not in can:
        raise PaymentNotCapturable(
            "This channel captures all that is held or nothing; leave out the amount.", param="amount"
        )
    last = final or wanted == payment.held or Capability.MULTI_CAPTURE not in can
    return Attempt.objects.begin_and_send(
        payment,
        AttemptKind.CAPTURE,
        channel=start.channel,
        amount=wanted,
        business_key=key,
        request={"captured_before": payment.amount_captured, "final": last},
    )


def _wanted(payment: Payment, amount: Money | None) -> int:
    held = payment.money(payment.held)
    wanted = amount or held
    if wanted.currency != held.currency or not 0 < wanted.minor <= held.minor:
        raise CaptureExceedsHeld(f"At most {held.major} {held.currency} can be captured.", param="amount")
    return wanted.minor
