from django.db import transaction

from payments.channels import registry
from payments.channels.contract import MovementRequest, Outcome
from payments.models import Attempt, Refund
from payments.services.apply_refund_answer import apply_refund_answer
from payments.states import AttemptState, RefundState


def carry_out_refund(*, refund: str) -> None:
    """This will ask the channel to return the money, or what became of it when it was asked before.

    Three phases: claim under a lock, call with no transaction open, apply. The outbound key is the refund's own
    identifier for every try, so asking again can not return the money twice.
    """
    with transaction.atomic(durable=True):
        row = Refund.objects.locked().by_public_id(refund).get()
        first_try = row.state == RefundState.REQUESTED
        if first_try:
            row.process()
            row.store()
        elif row.state not in (RefundState.PROCESSING, RefundState.UNKNOWN) or not row.checks:
            # Settled, or another process is in the middle of the first call.
            return
    start = Attempt.objects.filter(payment=row.payment_id, state=AttemptState.SUCCEEDED).latest_start()
    assert start is not None, "only what was captured is refunded"
    channel = registry.channel(start.channel)
    request = MovementRequest(
        key=row.public_id,
        reference=start.public_id,
        channel_reference=start.channel_reference,
        total=start.money,
        amount=row.money,
        movement_reference=row.public_id,
        reason=row.reason,
        notify_url=registry.notify_url(start.channel),
    )
    answer = channel.refund(request) if first_try else channel.query_refund(request)
    if answer.outcome == Outcome.NOT_FOUND:
        answer = channel.refund(request)
    with transaction.atomic(durable=True):
        apply_refund_answer(refund=row, answer=answer)
