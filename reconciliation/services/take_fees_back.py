from collections.abc import Sequence

from django.db import connection

from ledger.money import Money
from reconciliation.fee_names import FeeNames
from reconciliation.rows import Line
from reconciliation.rules import has_fee
from reconciliation.services.correct_fees import correct_fees


def take_fees_back(*, lines: Sequence[Line], names: FeeNames, instead: FeeNames) -> None:
    """This will reverse the fees of those lines of the file before that have none in the file in its place (`instead`).

    An operation: needs an open transaction.
    """
    assert connection.in_atomic_block, "take_fees_back() is an operation"
    fees = names.fees_of([line for line in lines if has_fee(line)], {})
    gone = [fee for fee in fees if fee.key not in instead.given]
    nothing = [fee._replace(amount=Money(0, fee.amount.currency)) for fee in gone]
    correct_fees(fees=nothing, version=names.version)
