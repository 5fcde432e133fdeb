"""What was posted on each accounting day."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.db import connection

from ledger.models.days import CLOSE_REFUSED, today
from ledger.money import Money
from ledger.selectors import audit_trail, closed_through

_MOVED = """
SELECT entry.posted_on, account.currency, count(*), sum(greatest(entry.amount, 0))
FROM ledger_account AS account
JOIN ledger_entry AS entry ON entry.account_id = account.id
WHERE entry.posted_on BETWEEN %s AND %s
GROUP BY entry.posted_on, account.currency ORDER BY entry.posted_on DESC, account.currency LIMIT %s
"""
_FIRST = """
SELECT min(first.posted_on) FROM ledger_account AS account
CROSS JOIN LATERAL (
    SELECT posted_on FROM ledger_entry WHERE account_id = account.id ORDER BY posted_on LIMIT 1
) AS first
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayMoved:
    """The lines of a day in one currency, and the sum of their debits, which is that of their credits."""

    posted_on: date
    entries: int
    debits: Money


def first_open_day() -> date | None:
    """The first day that a close would take; None while nothing was ever posted."""
    closed = closed_through()
    if closed:
        return closed + timedelta(days=1)
    with connection.cursor() as cursor:
        cursor.execute(_FIRST)
        first: date | None = cursor.fetchone()[0]
    return first


def last_ended_day() -> date:
    """Yesterday, by the books."""
    return today() - timedelta(days=1)


def last_due_day() -> date | None:
    """The last day that ended long enough ago to close by itself; None where no day does."""
    return last_ended_day() - _after() if _after() else None


def closes_on(day: date) -> date | None:
    """When its time to close by itself comes; None where no day does."""
    return day + timedelta(days=1) + _after() if _after() else None


def _after() -> timedelta:
    return timedelta(days=max(settings.LEDGER_CLOSE_AFTER_DAYS, 0))


def why_not_closed(day: date) -> str:
    """The code of the last refusal to close `day` by itself, "" when there was none."""
    told = [entry.after["code"] for entry in audit_trail(day.isoformat()) if entry.action == CLOSE_REFUSED]
    return told[-1] if told else ""


def moved_by_day(first: date, last: date, *, limit: int = 200) -> list[DayMoved]:
    """The newest day first; days without postings are left out."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVED, [first, last, limit])
        return [
            DayMoved(posted_on=day, entries=entries, debits=Money(int(debits), currency))
            for day, currency, entries, debits in cursor.fetchall()
        ]
