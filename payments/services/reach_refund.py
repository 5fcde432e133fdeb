from payments.channels import registry
from payments.channels.contract import Channel, MovementRequest
from payments.models import Attempt, Refund
from payments.states import AttemptState


def reach_refund(*, refund: Refund) -> tuple[Channel, MovementRequest]:
    """This will find whom to ask about the refund's movement, and how. Reads only; moves nothing."""
    start = Attempt.objects.filter(payment=refund.payment_id, state=AttemptState.SUCCEEDED).latest_start()
    assert start is not None, "only what was captured is refunded"
    return registry.channel(start.channel), MovementRequest(
        key=refund.movement_key,
        reference=start.public_id,
        channel_reference=start.channel_reference,
        total=start.money,
        amount=refund.money,
        movement_reference=refund.movement_key,
        reason=refund.reason,
        cause=refund.cause,
        notify_url=registry.notify_url(start.channel),
    )
