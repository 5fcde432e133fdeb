"""The books as they stood: the balance of an account at any moment, and what moved it from one moment to another.

A moment is a day and, within that day, a time. What counts at a moment is everything of earlier accounting days, and of
its own accounting day what had happened by then. So a closed day always says the same.

An earlier day's balance is the one kept at its close. Of an open day it is the balance of now less what was posted
since that day: recent moments are near, whatever the number of entries.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection

from ledger.facts import AccountStatement, StatementLine
from ledger.identifiers import encode
from ledger.models.days import day_of
from ledger.money import Money
from ledger.rules import kind_of

_BALANCES = """
WITH account AS (
    SELECT id FROM ledger_account WHERE name = %(account)s AND currency = %(currency)s
), moment AS (
    SELECT * FROM (VALUES ('since', %(since_day)s::date, %(since_at)s::timestamptz),
        ('until', %(until_day)s::date, %(until_at)s::timestamptz)) AS given (name, day, at)
), balance AS (
    SELECT moment.name, CASE
        WHEN moment.day <= (SELECT max(posted_on) + 1 FROM ledger_dayclose) THEN coalesce((
            SELECT balance FROM ledger_daybalance
            WHERE account_id = account.id AND posted_on < moment.day ORDER BY posted_on DESC LIMIT 1
        ), 0)
        ELSE coalesce(latest.balance, 0) + coalesce((
            SELECT sum(amount) FROM ledger_entry
            WHERE account_id = account.id AND id > coalesce(latest.through_entry, 0)
                AND posted_on > coalesce(latest.last_closed_on, '-infinity')
        ), 0) - coalesce((
            SELECT sum(amount) FROM ledger_entry WHERE account_id = account.id AND posted_on >= moment.day
        ), 0)
    END + coalesce((
        SELECT sum(entry.amount)
        FROM ledger_entry AS entry JOIN ledger_transaction AS head ON head.id = entry.transaction_id
        WHERE moment.at IS NOT NULL  -- else the day is not even looked at
            AND entry.account_id = account.id AND entry.posted_on = moment.day AND head.happened_at <= moment.at
    ), 0) AS minor
    FROM account CROSS JOIN moment LEFT JOIN LATERAL (
        SELECT through_entry, last_closed_on, balance FROM ledger_balancesnapshot
        WHERE account_id = account.id ORDER BY through_entry DESC LIMIT 1
    ) AS latest ON true
)
"""
_NOW = """
SELECT coalesce(latest.balance, 0) + coalesce((
    SELECT sum(amount) FROM ledger_entry
    WHERE account_id = account.id AND id > coalesce(latest.through_entry, 0)
        AND posted_on > coalesce(latest.last_closed_on, '-infinity')
), 0)
FROM ledger_account AS account LEFT JOIN LATERAL (
    SELECT through_entry, last_closed_on, balance FROM ledger_balancesnapshot
    WHERE account_id = account.id ORDER BY through_entry DESC LIMIT 1
) AS latest ON true
WHERE account.name = %s AND account.currency = %s
"""
_UNTIL = "SELECT minor FROM balance WHERE name = 'until'"
_LINES = """
SELECT (SELECT minor FROM balance WHERE name = 'since'), (SELECT minor FROM balance WHERE name = 'until'), line.*
FROM account LEFT JOIN LATERAL (
    SELECT entry.id, entry.posted_on, entry.transaction_id, head.happened_at, head.reference, head.description,
        entry.item, entry.amount
    FROM ledger_entry AS entry JOIN ledger_transaction AS head ON head.id = entry.transaction_id
    WHERE entry.account_id = account.id
        AND entry.posted_on BETWEEN %(since_day)s::date AND %(until_day)s::date
        AND (entry.posted_on, entry.id) > (%(after_day)s::date, %(after_entry)s::bigint)
        AND (entry.posted_on > %(since_day)s::date OR (head.happened_at <= %(since_at)s::timestamptz) IS NOT TRUE)
        AND (entry.posted_on < %(until_day)s::date OR head.happened_at <= %(until_at)s::timestamptz)
    ORDER BY entry.posted_on, entry.id LIMIT %(limit)s
) AS line ON true
ORDER BY line.posted_on, line.id
"""


@dataclass(frozen=True, slots=True)
class _Moment:
    day: date
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Position:
    """The last line of the page before, and the balance after it."""

    day: date
    entry: int
    balance: int


def balance_now(account: str, currency: str) -> Money:
    """The latest snapshot and the entries after it, in one statement. Raises `UnknownAccount`."""
    kind_of(account)
    with connection.cursor() as cursor:
        cursor.execute(_NOW, (account, currency))
        found = cursor.fetchone()
    return Money(int(found[0]) if found else 0, currency)


def balance_at(account: str, currency: str, at: date | datetime) -> Money:
    """The balance at `at`, or at the end of that day, in one statement. Raises `UnknownAccount`."""
    kind_of(account)
    until = _end(at)
    with connection.cursor() as cursor:
        cursor.execute(_BALANCES + _UNTIL, _values(account, currency, until, until))
        found = cursor.fetchone()
    return Money(int(found[0]) if found else 0, currency)


def account_statement(
    account: str,
    currency: str,
    *,
    since: date | datetime,
    until: date | datetime,
    after: str = "",
    limit: int = 100,
) -> AccountStatement:
    """What moved `account`, oldest accounting day first, with the balance after each line; in one statement.

    Days belong to it as a whole; a time is left out as `since` and belongs to it as `until`. `after` is the `next`
    of the page before; one that is not ours begins anew. Raises `UnknownAccount`.
    """
    kind_of(account)
    first, last = _start(since), _end(until)
    position = _position(after)
    # Named even without a position: the index is read from there, not from the account's first day.
    after_day, after_entry = max(
        (first.day, 0), (position.day, position.entry) if position else (first.day, 0)
    )
    values = _values(account, currency, first, last) | {
        "after_day": after_day,
        "after_entry": after_entry,
        "limit": limit + 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(_BALANCES + _LINES, values)
        rows = cursor.fetchall()
    opening, closing = (int(minor) for minor in rows[0][:2]) if rows else (0, 0)
    found = [row[2:] for row in rows if row[2] is not None]
    lines = _lines(found[:limit], currency, position.balance if position else opening)
    return AccountStatement(
        account=account,
        opening=Money(opening, currency),
        closing=Money(closing, currency),
        lines=lines,
        next=_told(lines[-1]) if len(found) > limit else "",
    )


def _lines(rows: list[tuple[Any, ...]], currency: str, balance: int) -> tuple[StatementLine, ...]:
    lines = []
    for entry, posted_on, key, happened_at, reference, description, item, amount in rows:
        balance += amount
        lines.append(
            StatementLine(
                entry=entry,
                posted_on=posted_on,
                happened_at=happened_at,
                transaction=encode("txn", key),
                reference=reference,
                description=description,
                item=item,
                amount=Money(amount, currency),
                balance=Money(balance, currency),
            )
        )
    return tuple(lines)


def _start(moment: date | datetime) -> _Moment:
    return _Moment(day_of(moment), moment) if isinstance(moment, datetime) else _Moment(moment)


def _end(moment: date | datetime) -> _Moment:
    return (
        _Moment(day_of(moment), moment)
        if isinstance(moment, datetime)
        else _Moment(moment + timedelta(days=1))
    )


def _values(account: str, currency: str, since: _Moment, until: _Moment) -> dict[str, Any]:
    return {
        "account": account,
        "currency": currency,
        "since_day": since.day,
        "since_at": since.at,
        "until_day": until.day,
        "until_at": until.at,
    }


def _told(line: StatementLine) -> str:
    return f"{line.posted_on.isoformat()}.{line.entry}.{line.balance.minor}"


def _position(after: str) -> _Position | None:
    day, _, rest = after.partition(".")
    entry, _, balance = rest.partition(".")
    try:
        return _Position(date.fromisoformat(day), int(entry), int(balance))
    except ValueError:
        return None
