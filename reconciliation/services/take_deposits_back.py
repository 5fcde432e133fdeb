from django.db import connection

from reconciliation.models import BankLine, Settlement
from reconciliation.services.doubt_bank_line import doubt_bank_line


def take_deposits_back(*, settlement: Settlement) -> None:
    """This will undo what explained the bank's lines by this payout. An operation: needs its lock; locks the lines."""
    assert connection.in_atomic_block, "take_deposits_back() is an operation"
    lines = BankLine.objects.locked().filter(pk__in=settlement.deposits.values("bank_line"))
    for line in lines:
        doubt_bank_line(line=line)
    settlement.refresh_from_db(fields=["state", "deposited_amount"])
