from django.db import connection

from payments.models import Attempt, Payment
from payments.states import AttemptKind


def let_go(*, payment: str, reason: str) -> None:
    """This will have what the payment holds voided, if no void is on its way: nobody wants it any more.

    An operation: needs an open transaction; locks the payment. The janitor sends the void after the commit.
    """
    assert connection.in_atomic_block, "let_go() is an operation"
    row = Payment.objects.locked().by_public_id(payment).get()
    if row.attempts.moving().exists():
        return
    start = row.attempts.start_of()
    Attempt.objects.begin_and_send(row, AttemptKind.VOID, channel=start.channel, request={"reason": reason})
