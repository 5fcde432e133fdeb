from django.db import connection, transaction

from payments.channels import registry
from payments.channels.contract import Answer, Outcome
from payments.models import Attempt
from payments.services.apply_answer import apply_answer
from payments.states import AttemptKind


def send_attempt(*, attempt: Attempt, again: bool = False) -> None:
    """This will make the attempt's call to its channel and apply the answer.

    Phases two and three of every movement: the attempt is already stored as SENT. No transaction may be open; the
    call's time-out leaves the attempt UNKNOWN. With `again`, the channel is first asked what became of it.
    """
    assert not connection.in_atomic_block, "no provider is called inside a transaction"
    answer = _ask_again(attempt) if again else _ask(attempt)
    with transaction.atomic(durable=True):
        apply_answer(attempt=attempt, answer=answer, source="query" if again else "answer")


def _ask(attempt: Attempt) -> Answer:
    channel = registry.channel(attempt.channel)
    if attempt.kind == AttemptKind.START:
        return channel.start(attempt.start_request())
    movement = attempt.movement(_start_of(attempt), registry.notify_url(attempt.channel))
    return channel.capture(movement) if attempt.kind == AttemptKind.CAPTURE else channel.void(movement)


def _ask_again(attempt: Attempt) -> Answer:
    start = attempt if attempt.kind == AttemptKind.START else _start_of(attempt)
    channel = registry.channel(attempt.channel)
    answer = channel.query(attempt.movement(start, registry.notify_url(attempt.channel)))
    # Who was never told what to do can not do it; the same request again is answered with the same QR.
    lost_its_action = not (attempt.action_kind or answer.next_action)
    not_done_yet = {
        AttemptKind.START: frozenset({Outcome.ACTION_REQUIRED} if lost_its_action else ()),
        AttemptKind.CAPTURE: frozenset({Outcome.AUTHORIZED}),
        AttemptKind.VOID: frozenset(
            {Outcome.AUTHORIZED, Outcome.ACTION_REQUIRED, Outcome.PENDING, Outcome.NOT_FOUND}
        ),
    }
    # A wallet that waits for the customer says so without the code: nobody could pay what only it knows.
    code_is_lost = (
        attempt.kind == AttemptKind.START
        and answer.outcome == Outcome.ACTION_REQUIRED
        and not (answer.next_action or attempt.action_kind)
    )
    # The same key again: what was not done is done now, what was done is answered again.
    again = code_is_lost or answer.outcome in not_done_yet[AttemptKind(attempt.kind)]
    return _ask(attempt) if again else answer


def _start_of(attempt: Attempt) -> Attempt:
    start = Attempt.objects.filter(payment=attempt.payment_id).latest_start()
    assert start is not None, "captures and voids act on what was started"
    return start
