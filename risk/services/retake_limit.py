"""Count against a customer's limit again."""

from django.db import connection

from risk.features import text
from risk.models import LimitUse


def retake_limit(*, subject: str) -> bool:
    """This will count a payment against its customer's daily limit again, because its money came after all.

    Operation: needs an open transaction; one statement, one row. It asks nobody whether the limit still allows it:
    the money is there. Returns whether something was given back before.
    """
    assert connection.in_atomic_block, "retake_limit() belongs to the transaction that books the money"
    given_back = LimitUse.objects.filter(subject=text(subject), released_at__isnull=False)
    return given_back.update(released_at=None) == 1
