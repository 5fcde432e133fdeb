"""Balances at the end of a day."""

from collections import defaultdict
from datetime import date

from django.db import connection

from ledger.facts import AccountBalance, TrialBalance
from ledger.models import Account, DayClose
from ledger.money import Money

# A closed day has its balances; what was posted after the last of them is little, or nothing.
_CLOSED = """
SELECT account.name, account.currency, account.kind, coalesce(closed.balance, 0) + coalesce(later.total, 0)
FROM ledger_account AS account
LEFT JOIN LATERAL (
    SELECT posted_on, balance FROM ledger_daybalance
    WHERE account_id = account.id AND posted_on <= %(day)s ORDER BY posted_on DESC LIMIT 1
) AS closed ON true
LEFT JOIN LATERAL (
    SELECT sum(amount) AS total FROM ledger_entry
    WHERE account_id = account.id AND posted_on <= %(day)s
        AND posted_on > coalesce(closed.posted_on, '-infinity')
) AS later ON true
WHERE starts_with(account.name, %(head)s)
ORDER BY account.currency, account.name
"""
# An open one is near to now: take away what came after.
_OPEN = """
SELECT account.name, account.currency, account.kind,
    coalesce(latest.balance, 0) + coalesce(tail.total, 0) - coalesce(after.total, 0)
FROM ledger_account AS account
LEFT JOIN LATERAL (
    SELECT through_entry, last_closed_on, balance FROM ledger_balancesnapshot
    WHERE account_id = account.id ORDER BY through_entry DESC LIMIT 1
) AS latest ON true
LEFT JOIN LATERAL (
    SELECT sum(amount) AS total FROM ledger_entry
    WHERE account_id = account.id AND id > coalesce(latest.through_entry, 0)
        AND posted_on > coalesce(latest.last_closed_on, '-infinity')
) AS tail ON true
LEFT JOIN LATERAL (
    SELECT sum(amount) AS total FROM ledger_entry WHERE account_id = account.id AND posted_on > %(day)s
) AS after ON true
WHERE starts_with(account.name, %(head)s)
ORDER BY account.currency, account.name
"""


def trial_balance_on(day: date, *, head: str = "") -> TrialBalance:
    """Every account as it stood at the end of the accounting day, or those whose names begin with `head`."""
    closed = DayClose.objects.filter(posted_on__gte=day).exists()
    with connection.cursor() as cursor:
        cursor.execute(_CLOSED if closed else _OPEN, {"day": day, "head": head})
        accounts = tuple(
            AccountBalance(account=name, kind=kind, balance=Money(int(minor), currency))
            for name, currency, kind, minor in cursor.fetchall()
        )
    sums: dict[str, int] = defaultdict(int)
    for row in accounts:
        sums[row.balance.currency] += row.balance.minor
    return TrialBalance(
        accounts=accounts, totals=tuple(Money(total, currency) for currency, total in sums.items())
    )


def currencies() -> list[str]:
    """Those that the books are kept in."""
    return list(Account.objects.order_by("currency").values_list("currency", flat=True).distinct())
