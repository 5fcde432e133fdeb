from datetime import timedelta

from django.conf import settings
from django.db import transaction

from ledger.audit import attribute
from payments import outbox, selectors
from payments.errors import PaymentNotFound
from payments.events import PaymentCancelled
from payments.models import Attempt, Payment
from payments.selectors import PaymentView
from payments.services.end_without_money import end_without_money
from payments.services.refuse_while_moving import refuse_while_moving
from payments.services.send_attempt import send_attempt
from payments.services.take_what_is_held import take_what_is_held
from payments.states import AttemptKind, PaymentMethod, PaymentState
from risk.errors import ChallengeAnswerWrong, ChallengeFailed, ChallengeOver
from risk.services.check_challenge import Trial, check_challenge

# How long the customer has, once confirmed, to pay by a wallet that could not be asked before.
TIME_TO_PAY = timedelta(minutes=15)


def answer_challenge(*, payment: str, owner: str, kind: str, answer: str, actor: str) -> PaymentView:
    """This will judge the customer's answer: a right one lets the payment go on where it stood, the last wrong one
    cancels it.

    Opens its own transactions: challenge and payment change in one, under the payment's lock, so that an answer
    counts once however often it is sent; the channel is called after it. `owner` is the session that was challenged.
    Raises `PaymentNotFound`, `ChallengeOver`, `ChallengeNotYours`, `ChallengeAnswerWrong`, `ChallengeFailed` and,
    while what is held is being let go, `PaymentInProgress` and `PaymentOutcomeUnknown`.
    """
    attempt = None
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason="challenge")
        row = Payment.objects.locked().by_public_id(payment).first()
        if row is None:
            raise PaymentNotFound(f"There is no payment {payment[:40]!r}.")
        if row.state != PaymentState.REQUIRES_ACTION or not row.challenge_pending:
            raise ChallengeOver("This payment does not wait for an answer any more.")
        # The customer's own cancellation, or the end of the time, may have been faster.
        refuse_while_moving(payment=row)
        trial = check_challenge(
            challenge=row.challenge,
            subject=row.public_id,
            amount=row.amount,
            currency=row.currency,
            owner=owner,
            kind=kind,
            answer=answer,
        )
        if trial.passed:
            attempt = _go_on(row)
        elif trial.over:
            attempt = _give_up(row)
    if attempt:
        send_attempt(attempt=attempt)
    if trial.passed:
        return selectors.payment(row.public_id)
    raise _refusal(trial)


def _go_on(payment: Payment) -> Attempt | None:
    """The call that waited, stored as SENT; None where what is held waits for its capture."""
    if payment.amount_authorized:
        payment.pass_held_challenge()
        payment.store()
        for event in take_what_is_held(payment=payment):
            outbox.publish(event)
        return payment.attempts.moving().first()
    start = payment.attempts.latest_start()
    assert start is not None, "a challenged payment has the attempt that it was challenged with"
    by_transfer = payment.method == PaymentMethod.BANK_TRANSFER
    payment.pass_challenge(settings.BANK_TRANSFER_HOLD if by_transfer else TIME_TO_PAY)
    payment.store()
    start.request["expires_at"] = payment.expires_at.isoformat()
    start.send()
    start.store()
    return start


def _give_up(payment: Payment) -> Attempt | None:
    """The void of what is held, stored as SENT; None where no provider is involved."""
    start = payment.attempts.holding_or_latest()
    if start and payment.amount_authorized:
        payment.challenge_pending = False
        payment.store()
        return Attempt.objects.begin_and_send(
            payment, AttemptKind.VOID, channel=start.channel, request={"reason": "challenge_failed"}
        )
    if start and start.is_open:
        start.cancel()
        start.store()
    payment.cancel("challenge_failed")
    end_without_money(payment=payment)
    payment.store()
    outbox.publish(PaymentCancelled(**payment.told(), reason="challenge_failed"))
    return None


def _refusal(trial: Trial) -> ChallengeAnswerWrong | ChallengeFailed:
    if trial.over:
        return ChallengeFailed(
            "That was wrong too often: the payment was given up, and nothing was charged. Order again to try again."
        )
    return ChallengeAnswerWrong(
        f"That is not right. Check it and try again: {trial.answers_left} tries are left.",
        param="answer",
        answers_left=trial.answers_left,
    )
