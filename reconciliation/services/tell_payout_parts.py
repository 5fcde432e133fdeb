from django.db import connection
from django.db.models import QuerySet, Sum

from reconciliation.models import Settlement, StatementFile, StatementTotal
from reconciliation.rows import LineKind
from reconciliation.rules import rounded
from reconciliation.states import TotalPart


def tell_payout_parts(*, files: QuerySet[StatementFile]) -> None:
    """This will note of each payout in these files what came in and what was kept of it.

    Movements of a payout that come to another sum than was paid leave it as it is: the daily report shows that. An
    operation: needs an open transaction; locks the settlements.
    """
    assert connection.in_atomic_block, "tell_payout_parts() is an operation"
    sums = StatementTotal.objects.filter(file__in=files, part=TotalPart.THEIRS).exclude(grp="").order_by()
    made = sums.exclude(kind=LineKind.PAYOUT).values("file__channel", "grp", "currency")
    for told in made.annotate(gross=Sum("amount"), kept=Sum("fee")):
        named = Settlement.objects.locked().filter(
            channel=told["file__channel"], grp=told["grp"], currency=told["currency"]
        )
        row, fee = named.first(), rounded(told["kept"])
        if row is not None and row.net_amount == told["gross"] - fee:
            row.gross_amount, row.fee_amount = told["gross"], fee
            row.store()
