from django.db import transaction

from ledger.audit import attribute
from payments import outbox, selectors
from payments.channels.contract import Answer, Outcome
from payments.errors import ChannelNotReachable, RefundExceedsCaptured, RefundNotFailed
from payments.events import RefundRequested
from payments.models import Payment, Refund
from payments.selectors import RefundView
from payments.services.apply_refund_answer import apply_refund_answer
from payments.services.carry_out_refund import carry_out_refund
from payments.services.reach_refund import reach_refund
from payments.states import RefundState

# The provider has the movement and says that it ended without money: it can never happen any more.
_ENDED = (Outcome.DECLINED, Outcome.ERRORED, Outcome.CANCELLED)
_MOVED_OR_MOVING = (Outcome.SUCCEEDED, Outcome.PENDING, Outcome.ACTION_REQUIRED)


def retry_refund(*, refund: str, actor: str, reason: str = "") -> RefundView:
    """This will try a failed refund again, having asked the channel what became of the last try.

    What the channel never did goes out under the same outbound key. Only when it has the movement and proves that it
    ended without money does a new movement begin, under a key of its own. Where it turns out to have happened after
    all, nothing is sent. Opens its own transactions; locks payment, then refund; asks the channel outside of them.
    Raises `RefundNotFound`, `RefundNotFailed`, `RefundExceedsCaptured`, `ChannelNotReachable`.
    """
    found = selectors.refund(refund)
    row = _failed(Refund.objects.by_public_id(found.id).get())
    channel, request = reach_refund(refund=row)
    answer = channel.query_refund(request)
    if answer.outcome in _MOVED_OR_MOVING:
        return _found_done(row, answer, actor, reason)
    if answer.outcome != Outcome.NOT_FOUND and answer.outcome not in _ENDED:
        raise ChannelNotReachable("The provider does not say what became of the last try; try again later.")
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        payment = Payment.objects.locked().by_public_id(found.payment).get()
        now = _failed(Refund.objects.locked().get(pk=row.pk))
        if now.movement != row.movement:
            raise RefundNotFailed("Somebody has just tried this refund again; look at it again.")
        if payment.refundable < now.amount:
            left = payment.money(payment.refundable)
            raise RefundExceedsCaptured(f"Only {left.major} {left.currency} can still be refunded.")
        now.try_again(now.movement + (answer.outcome in _ENDED))
        payment.amount_refunding += now.amount
        now.store()
        payment.store()
        outbox.publish(RefundRequested(**payment.told(), refund=now.public_id, requested=now.amount))
    carry_out_refund(refund=found.id)
    return selectors.refund(found.id)


def _failed(row: Refund) -> Refund:
    if row.state != RefundState.FAILED or row.closed:
        raise RefundNotFailed("Only a refund that failed and was not closed can be tried again.")
    return row


def _found_done(row: Refund, answer: Answer, actor: str, reason: str) -> RefundView:
    """The news is applied as if it had arrived: the money is counted again, and the channel decides."""
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        told = Answer(Outcome.SUCCEEDED, amount=row.money, channel_reference=answer.channel_reference)
        apply_refund_answer(refund=row, answer=told, movement=row.movement)
    return selectors.refund(row.public_id)
