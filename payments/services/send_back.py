from django.db import connection

from payments.models import Payment
from payments.services.queue_refund import queue_refund


def send_back(*, payment: Payment) -> None:
    """This will return surplus money, once.

    An operation: needs an open transaction and the payment's lock.
    """
    assert connection.in_atomic_block, "send_back() is an operation"
    queue_refund(
        payment=payment.public_id,
        amount=None,
        reason="Paid twice: another payment of the same order counts",
        actor="system",
        key=f"{payment.public_id}:surplus",
    )
