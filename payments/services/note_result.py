from django.db import connection

from payments.breakers import result_of
from payments.channels.contract import Answer
from payments.models import Attempt


def note_result(*, attempt: Attempt, answer: Answer, latency_ms: int) -> None:
    """This will keep what the first answer to a START says of its channel: breaker and measures count these.

    An operation: needs an open transaction and the attempt's lock.
    """
    assert connection.in_atomic_block, "note_result() is an operation"
    result = result_of(attempt.channel, answer)
    Attempt.objects.filter(pk=attempt.pk).update(first_result=result, latency_ms=latency_ms)
