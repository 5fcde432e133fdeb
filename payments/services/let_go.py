from django.db import connection

from payments.models import Attempt, Payment
from payments.states import AttemptKind


def let_go(*, payment: Payment, reason: str) -> None:
    """This will have what the payment holds voided, if no void is on its way: nobody wants it any more.

    An operation: needs an open transaction and the payment's lock. The janitor sends the void after the commit.
    """
    assert connection.in_atomic_block, "let_go() is an operation"
    if payment.attempts.open().filter(kind__in=[AttemptKind.VOID, AttemptKind.CAPTURE]).exists():
        return
    start = payment.attempts.start_of()
    Attempt.objects.begin_and_send(
        payment, AttemptKind.VOID, channel=start.channel, request={"reason": reason}
    )
