"""Close accounting days."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from ledger import audit
from ledger.errors import DayBusy, DayNotEnded, DayOutOfBalance
from ledger.models import DayBalance, DayClose, DayTotal
from ledger.models.days import today
from ledger.reports.days import first_open_day

_PATIENCE = "10s"
_MOVED = """
SELECT account.id, account.currency, moved.entries, moved.debits, moved.total + coalesce(before.balance, 0)
FROM ledger_account AS account
CROSS JOIN LATERAL (
    SELECT count(*) AS entries, sum(greatest(amount, 0)) AS debits, sum(amount) AS total
    FROM ledger_entry WHERE account_id = account.id AND posted_on = %s
) AS moved
LEFT JOIN LATERAL (
    SELECT balance FROM ledger_daybalance WHERE account_id = account.id ORDER BY posted_on DESC LIMIT 1
) AS before ON true
WHERE moved.entries > 0
"""
_BALANCES = """
SELECT account.currency, sum(greatest(latest.balance, 0)), sum(latest.balance)
FROM ledger_account AS account
CROSS JOIN LATERAL (
    SELECT balance FROM ledger_daybalance WHERE account_id = account.id ORDER BY posted_on DESC LIMIT 1
) AS latest
GROUP BY account.currency ORDER BY account.currency
"""


@dataclass(frozen=True, slots=True)
class _Moved:
    """What an account moved by on the day, and how it stood after."""

    account: UUID
    currency: str
    entries: int
    debits: int
    balance: int


def close_day(*, day: date, actor: str) -> list[date]:
    """This will close every open day up to `day`, each for good, and keep its trial balance; returns those days.

    Raises `DayNotEnded`, `DayOutOfBalance` and, while a posting into the day stays uncommitted, `DayBusy`.
    Owns a transaction for each day: what it has closed stays closed when a later day is refused.
    """
    if day >= today():
        raise DayNotEnded(f"{day} has not ended: it can be closed tomorrow", param="day")
    return [each for each in _open_until(day) if _close(each, actor)]


def _open_until(day: date) -> Iterator[date]:
    """Days without postings, too: nothing may be posted into them later."""
    first = first_open_day()
    while first and first <= day:
        yield first
        first += timedelta(days=1)


def _close(day: date, actor: str) -> bool:
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor)
        _hold(day)
        if DayClose.objects.filter(posted_on=day).exists():  # somebody was quicker
            return False
        moved = _moved(day)
        close = DayClose.objects.create(
            posted_on=day, entry_count=sum(each.entries for each in moved), closed_by=actor
        )
        DayBalance.objects.bulk_create(
            DayBalance(account_id=each.account, posted_on=day, balance=each.balance, currency=each.currency)
            for each in moved
        )
        totals = _totals(close, moved)
        DayTotal.objects.bulk_create(totals)
        kept = {total.currency: [total.moved_amount, total.balance_amount] for total in totals}
        audit.record(action="day.close", object_id=day.isoformat(), after=kept)
    return True


def _hold(day: date) -> None:
    """From here on nobody posts into the day; those who have are waited for."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [_PATIENCE])
        try:
            cursor.execute("SELECT ledger_take_day(%s)", [day])
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
            raise DayBusy(
                f"a posting into {day} is not committed yet: try again in a minute", param="day"
            ) from error


def _moved(day: date) -> list[_Moved]:
    with connection.cursor() as cursor:
        cursor.execute(_MOVED, [day])
        return [
            _Moved(account, currency, entries, int(debits), int(balance))
            for account, currency, entries, debits, balance in cursor.fetchall()
        ]


def _totals(close: DayClose, moved: list[_Moved]) -> list[DayTotal]:
    with connection.cursor() as cursor:
        cursor.execute(_BALANCES)
        balances = cursor.fetchall()
    if unbalanced := {currency: int(total) for currency, _, total in balances if total}:
        raise DayOutOfBalance(
            f"the books are out of balance by {unbalanced}: `manage.py verify` names the rows", param="day"
        )
    return [
        DayTotal(
            close=close,
            currency=currency,
            moved_amount=sum(each.debits for each in moved if each.currency == currency),
            balance_amount=int(debits),
        )
        for currency, debits, _ in balances
    ]
