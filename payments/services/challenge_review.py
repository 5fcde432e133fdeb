from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from ledger.audit import attribute
from payments import outbox, selectors
from payments.errors import ReviewNotFound, ReviewNotReady
from payments.events import PaymentActionRequired
from payments.models import Payment
from payments.selectors import PaymentView
from payments.services.refuse_while_moving import refuse_while_moving
from payments.states import PaymentState
from risk.services.challenge_case import challenge_case

# What is left of a hold when the time to answer is over, to let go of it in order.
_BEFORE_THE_HOLD_ENDS = timedelta(minutes=5)


def challenge_review(*, case: str, kind: str, actor: str, reason: str, senior: bool = False) -> PaymentView:
    """This will close the risk case and have the customer asked by `kind`: who answers rightly pays, who does not has
    nothing taken and what is held let go.

    Opens its own transaction: case, challenge and payment change in one, under the payment's lock; no channel is
    called, what is held stays held. Raises `ReviewNotFound`, `ReviewNotReady`, `PaymentInProgress`,
    `PaymentOutcomeUnknown` and what `risk.services.challenge_case` raises.
    """
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        payment = Payment.objects.locked().filter(case=case).first()
        if payment is None:
            raise ReviewNotFound("No payment waits for this case.")
        if payment.state != PaymentState.IN_REVIEW and payment.review_pending:
            raise ReviewNotReady(
                "The customer is still with their bank; decide when the money is authorised."
            )
        refuse_while_moving(payment=payment)
        asked = challenge_case(
            case=case, kind=kind, actor=actor, reason=reason, latest=_latest(payment), senior=senior
        )
        payment.review_pending = False
        payment.await_challenge(asked.id, asked.expires_at)
        payment.store()
        until = asked.expires_at.isoformat()
        outbox.publish(PaymentActionRequired(**payment.told(), expires_at=until, reviewed=True))
    return selectors.payment(payment.public_id)


def _latest(payment: Payment) -> datetime:
    if payment.amount_authorized and payment.held_until:
        return payment.held_until - _BEFORE_THE_HOLD_ENDS
    return timezone.now() + timedelta(days=1)
