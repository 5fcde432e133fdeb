"""Give a customer's limit back."""

from django.db import connection
from django.utils import timezone

from risk.features import text
from risk.models import LimitUse


def release_limit(*, subject: str) -> bool:
    """This will stop counting a payment against its customer's daily limit, because no money moved or will move.

    Operation: needs an open transaction; one statement, one row. Returns whether anything was counted.
    """
    assert connection.in_atomic_block, "release_limit() belongs to the transaction that closes the payment"
    counted = LimitUse.objects.filter(subject=text(subject), released_at=None)
    return counted.update(released_at=timezone.now()) == 1
