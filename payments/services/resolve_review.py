from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from ledger.audit import attribute
from payments import outbox, selectors
from payments.errors import ReviewNotFound, ReviewNotReady
from payments.events import PaymentCancelled
from payments.models import Attempt, Payment
from payments.selectors import PaymentView
from payments.services.end_without_money import end_without_money
from payments.services.refuse_while_moving import refuse_while_moving
from payments.services.send_attempt import send_attempt
from payments.services.take_what_is_held import take_what_is_held
from payments.states import AttemptKind, PaymentMethod, PaymentState
from risk.services.decide_case import decide_case

# How long the customer has, after an approval, to pay by a wallet that could not be asked before.
TIME_TO_PAY = timedelta(minutes=15)


def resolve_review(*, case: str, approve: bool, actor: str, reason: str, senior: bool = False) -> PaymentView:
    """This will close the risk case and move its payment: approve captures or goes on, reject voids.

    Opens its own transactions: case and payment change in one, under the payment's lock; the channel is called
    after it. Raises `ReviewNotFound`, `ReviewNotReady`, `PaymentInProgress`, `PaymentOutcomeUnknown` and what
    `risk.services.decide_case` raises (decided already, held by another, escalated and the actor not `senior`).
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
        decide_case(case=case, approve=approve, actor=actor, reason=reason, senior=senior)
        attempt = _move(payment, approve)
    if attempt:
        send_attempt(attempt=attempt)
    return selectors.payment(payment.public_id)


def _move(payment: Payment, approve: bool) -> Attempt | None:
    """The call that follows from the decision, stored as SENT; None when no provider is involved."""
    payment.review_pending = False
    start = payment.attempts.latest_start()
    assert start is not None, "a held payment has the attempt that it was held with"
    if approve and payment.amount_authorized:
        payment.release_from_review()
        payment.store()
        for event in take_what_is_held(payment=payment):
            outbox.publish(event)
        return payment.attempts.moving().first()
    if approve:
        by_transfer = payment.method == PaymentMethod.BANK_TRANSFER
        time_to_pay = settings.BANK_TRANSFER_HOLD if by_transfer else TIME_TO_PAY
        payment.expires_at = timezone.now() + time_to_pay
        payment.process()
        payment.store()
        start.request["expires_at"] = payment.expires_at.isoformat()
        start.send()
        start.store()
        return start
    payment.store()
    if payment.amount_authorized:
        return Attempt.objects.begin_and_send(
            payment, AttemptKind.VOID, channel=start.channel, request={"reason": "review_rejected"}
        )
    start.cancel()
    start.store()
    payment.cancel("review_rejected")
    end_without_money(payment=payment)
    payment.store()
    outbox.publish(PaymentCancelled(**payment.told(), reason="review_rejected"))
    return None
