"""Take snapshots of balances, so that reading one stays as quick as on the first day."""

from django.db import connection, transaction

from ledger.models import BalanceSnapshot, Entry
from ledger.models.numbering import settled_through
from ledger.selectors import closed_through

_GROWN = """
SELECT account.id, account.currency, tail.through_entry, coalesce(latest.balance, 0) + tail.total
FROM ledger_account AS account
LEFT JOIN LATERAL (
    SELECT through_entry, last_closed_on, balance FROM ledger_balancesnapshot
    WHERE account_id = account.id ORDER BY through_entry DESC LIMIT 1
) AS latest ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS entries, sum(amount) AS total, max(id) AS through_entry FROM ledger_entry
    WHERE account_id = account.id AND id > coalesce(latest.through_entry, 0)
        AND posted_on > coalesce(latest.last_closed_on, '-infinity') AND id <= %s
) AS tail
WHERE tail.entries >= %s
"""


def take_snapshots(*, at_least: int = 1000) -> int:
    """This will add a snapshot to every account with `at_least` entries since its last one; returns how many.

    Owns its transaction and locks nothing: it covers only entries below which no transaction is open any
    more, and takes none (returns 0) while one stays open for long.
    """
    with transaction.atomic(durable=True):
        # Before the numbers: what gets a higher one is not posted into a day that was closed before.
        closed = closed_through()
        through = settled_through(Entry)
        if not through:
            return 0
        with connection.cursor() as cursor:
            cursor.execute(_GROWN, [through, max(at_least, 1)])
            snapshots = [
                BalanceSnapshot(
                    account_id=account,
                    currency=currency,
                    through_entry=through_entry,
                    last_closed_on=closed,
                    balance=int(balance),
                )
                for account, currency, through_entry, balance in cursor.fetchall()
            ]
        # Two takers at once reach the same figures: the second's copies fall away.
        BalanceSnapshot.objects.bulk_create(snapshots, ignore_conflicts=True)
        return len(snapshots)
