from dataclasses import replace
from time import monotonic

from django.db import connection, transaction

from payments.breakers import result_of
from payments.channels import registry
from payments.channels.contract import Advice, Answer, Outcome
from payments.channels.meanings import NOT_REACHED
from payments.models import Attempt
from payments.services.apply_answer import apply_answer
from payments.services.note_result import note_result
from payments.services.watch_channel import watch_channel
from payments.states import AttemptKind

# What says of a payment as a whole that its void has not been done.
_NOT_VOIDED = {Outcome.AUTHORIZED, Outcome.ACTION_REQUIRED, Outcome.PENDING, Outcome.NOT_FOUND}
# What says of a payment as a whole how much was taken, and so what became of a capture.
_SAYS_WHAT_WAS_TAKEN = {Outcome.SUCCEEDED, Outcome.AUTHORIZED, Outcome.CANCELLED}

# What another try may follow at once.
_MAY_GO_ON = {Outcome.ERRORED, Outcome.DECLINED}


def send_attempt(*, attempt: Attempt, again: bool = False) -> None:
    """This will make the attempt's call to its channel and apply the answer.

    Phases two and three of every movement: the attempt is already stored as SENT. No transaction may be open; the
    call's time-out leaves the attempt UNKNOWN. With `again`, the channel is first asked what became of it: what was
    not done is done now under the same key, what was done is answered again. Where the payment failed over, the try
    that follows is sent as well.
    """
    assert not connection.in_atomic_block, "no provider is called inside a transaction"
    began = monotonic()
    about, answer = _ask_again(attempt) if again else (attempt, _ask(attempt))
    first = attempt.kind == AttemptKind.START and not again
    if first:
        answer = _proven(answer)
    with transaction.atomic(durable=True):
        apply_answer(attempt=about, answer=answer, source="query" if again else "answer")
        if first:
            note_result(attempt=attempt, answer=answer, latency_ms=round((monotonic() - began) * 1000))
    if first:
        method = attempt.route.get("method", "")
        watch_channel(channel=attempt.channel, method=method, result=result_of(attempt.channel, answer))
        following = Attempt.objects.following(attempt) if answer.outcome in _MAY_GO_ON else None
        if following:
            send_attempt(attempt=following)


def _proven(answer: Answer) -> Answer:
    """The first call for a payment that did not even reach the provider moved nothing: that is no doubt."""
    if answer.outcome != Outcome.UNKNOWN or answer.code != NOT_REACHED:
        return answer
    return replace(answer, outcome=Outcome.ERRORED, advice=Advice.TRY_AGAIN)


def _ask(attempt: Attempt) -> Answer:
    channel = registry.channel(attempt.channel)
    if attempt.kind == AttemptKind.START:
        return channel.start(attempt.start_request())
    movement = attempt.movement(_start_of(attempt), registry.notify_url(attempt.channel))
    return channel.capture(movement) if attempt.kind == AttemptKind.CAPTURE else channel.void(movement)


def _ask_again(attempt: Attempt) -> tuple[Attempt, Answer]:
    """The answer, and the attempt that it is about: what was captured, the payment as a whole tells."""
    start = attempt if attempt.kind == AttemptKind.START else _start_of(attempt)
    channel = registry.channel(attempt.channel)
    answer = channel.query(attempt.movement(start, registry.notify_url(attempt.channel)))
    if _is_undone(attempt, answer):
        return attempt, _ask(attempt)
    if attempt.kind == AttemptKind.CAPTURE and answer.outcome in _SAYS_WHAT_WAS_TAKEN:
        return start, answer
    return attempt, answer


def _is_undone(attempt: Attempt, answer: Answer) -> bool:
    if attempt.kind == AttemptKind.VOID:
        return answer.outcome in _NOT_VOIDED
    if attempt.kind == AttemptKind.CAPTURE:
        taken = answer.captured.minor if answer.captured else attempt.captured_before
        return answer.outcome == Outcome.AUTHORIZED and taken == attempt.captured_before
    # A wallet that waits for the customer says so without the code: nobody could pay what only it knows. Who was
    # never told what to do can not do it; the same request again is answered with the same code.
    code_is_lost = not (attempt.action_kind or answer.next_action)
    return answer.outcome == Outcome.ACTION_REQUIRED and code_is_lost


def _start_of(attempt: Attempt) -> Attempt:
    return Attempt.objects.filter(payment=attempt.payment_id).start_of()
