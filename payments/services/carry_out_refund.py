from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from payments import outbox
from payments.channels.contract import Outcome
from payments.events import RefundFailed
from payments.models import Payment, Refund
from payments.rules import refund_rules
from payments.services.apply_refund_answer import apply_refund_answer
from payments.services.reach_refund import reach_refund
from payments.states import RefundState

_WHILE_UNKNOWN = timedelta(seconds=15)


def carry_out_refund(*, refund: str) -> None:
    """This will ask the channel to return the money, or what became of it when it was asked before.

    Three phases: claim under a lock, call with no transaction open, apply. The outbound key is that of the refund's
    movement for every try, so asking again can not return the money twice. Refunds of one payment go one after
    another: while one has no clear outcome, or the channel wants time between them, the next is put off. What a
    dispute took back before it was sent is not sent.
    """
    with transaction.atomic(durable=True):
        row = Refund.objects.by_public_id(refund).get()
        payment = Payment.objects.locked().get(pk=row.payment_id)
        row = Refund.objects.locked().get(pk=row.pk)
        first_try = row.state == RefundState.REQUESTED
        if first_try and (turn := _turn_of(payment, row)) > timezone.now():
            row.put_off(turn)
            row.store()
            return
        if first_try and payment.owes_twice:
            _keep(payment, row)
            return
        if first_try:
            row.process()
            row.store()
        elif row.state not in (RefundState.PROCESSING, RefundState.UNKNOWN) or not row.checks:
            # Settled, or another process is in the middle of the first call.
            return
    channel, request = reach_refund(refund=row)
    answer = channel.refund(request) if first_try else channel.query_refund(request)
    if answer.outcome == Outcome.NOT_FOUND:
        answer = channel.refund(request)
    with transaction.atomic(durable=True):
        apply_refund_answer(refund=row, answer=answer)


def _keep(payment: Payment, row: Refund) -> None:
    row.fail("disputed", "The customer's bank took this money back by a dispute.")
    row.store()
    payment.amount_refunding -= row.amount
    payment.store()
    outbox.publish(RefundFailed(**payment.told(), refund=row.public_id, code=row.code))


def _turn_of(payment: Payment, row: Refund) -> datetime:
    """When this refund may be sent: after the last one by as much as the channel asks."""
    others = payment.refunds.exclude(pk=row.pk)
    if others.filter(state=RefundState.UNKNOWN).exists():
        return timezone.now() + _WHILE_UNKNOWN
    last = others.filter(asked_at__isnull=False).order_by("-asked_at").first()
    apart = refund_rules(payment.channel).apart
    return last.asked_at + apart if last and last.asked_at and apart else payment.created_at
