"""What the channels still owe us, by its age: the oldest is settled first, so what is open are the newest movements.

An account that stands at less than nothing (the channel paid us too much) is aged the same way by its credits. The ages
of an account make its balance, to the minor unit.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connection

from ledger.money import Money
from ledger.reports.cells import Cell
from ledger.reports.relations import Query
from ledger.reports.trial import trial_balance_on
from ledger.statements import balance_at

# Days from the movement to the day of the report; the last has no end.
AGES: dict[str, tuple[int, int | None]] = {
    "0-1": (0, 1),
    "2-3": (2, 3),
    "4-7": (4, 7),
    "8-30": (8, 30),
    "over-30": (31, None),
}
_RECEIVABLE = "receivable:"
_TODAY_TO_30 = """
SELECT account.name, account.currency, %s - entry.posted_on,
    coalesce(sum(entry.amount) FILTER (WHERE entry.amount > 0), 0),
    coalesce(sum(entry.amount) FILTER (WHERE entry.amount < 0), 0)
FROM ledger_account AS account
JOIN ledger_entry AS entry ON entry.account_id = account.id
WHERE starts_with(account.name, %s) AND entry.posted_on BETWEEN %s AND %s
GROUP BY account.name, account.currency, entry.posted_on
"""
_OPEN = """
line AS (
    SELECT entry.id, entry.transaction_id, entry.posted_on, entry.item, entry.amount,
        account.name AS account, account.kind
    FROM ledger_account AS account
    JOIN ledger_entry AS entry ON entry.account_id = account.id
    WHERE account.currency = %s AND account.name = %s AND entry.posted_on BETWEEN %s AND %s
        AND sign(entry.amount) = %s
), placed AS (
    SELECT line.*, %s - posted_on AS age,
        sum(abs(amount)) OVER (ORDER BY posted_on DESC, id DESC) - abs(amount) AS newer
    FROM line
), found AS (
    SELECT id, transaction_id, posted_on, account, kind, item, amount,
        (sign(amount) * least(abs(amount), %s - newer))::bigint AS share,
        bucket.name AS key
    FROM placed
    JOIN unnest(%s::text[], %s::int[], %s::int[]) AS bucket (name, least, most)
        ON age >= bucket.least AND age <= coalesce(bucket.most, age)
    WHERE newer < %s
)"""
_MOVED_SINCE = """
SELECT coalesce(sum(abs(entry.amount)), 0),
    (SELECT min(posted_on) FROM ledger_entry WHERE account_id = account.id)
FROM ledger_account AS account
LEFT JOIN ledger_entry AS entry
    ON entry.account_id = account.id AND entry.posted_on BETWEEN %s AND %s AND sign(entry.amount) = %s
WHERE account.currency = %s AND account.name = %s
GROUP BY account.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsettled:
    """`ages` has an amount for each of `AGES`; together they are the balance."""

    account: str
    balance: Money
    ages: dict[str, Money]

    @property
    def channel(self) -> str:
        return self.account.removeprefix(_RECEIVABLE)


def unsettled(on: date) -> list[Unsettled]:
    """Each channel and currency that is not at zero at the end of the day `on`. A fixed number of statements; none
    reads further back than 31 days."""
    moved = _moved(on)
    return [
        _aged(row.account, row.balance, moved[row.account, row.balance.currency])
        for row in trial_balance_on(on, head=_RECEIVABLE).accounts
        if row.balance.minor
    ]


def open_lines(cell: Cell) -> Query:
    """The movements of `cell.account` that are open at the end of `cell.last`, with what is open of each."""
    balance = balance_at(cell.account, cell.currency, cell.last).minor
    side = (balance > 0) - (balance < 0)
    since = _oldest_open(cell, abs(balance), side)
    scope = [cell.currency, cell.account, since, cell.last, side]
    ages = [list(AGES), *(list(limits) for limits in zip(*AGES.values(), strict=True))]
    return _OPEN, [*scope, cell.last, abs(balance), *ages, abs(balance)]


def _moved(on: date) -> defaultdict[tuple[str, str], dict[str, tuple[int, int]]]:
    """Account → age → the sums of its debits and of its credits, of the ages that have an end."""
    found: defaultdict[tuple[str, str], dict[str, tuple[int, int]]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(_TODAY_TO_30, [on, _RECEIVABLE, on - timedelta(days=30), on])
        for account, currency, days, debited, credited in cursor.fetchall():
            ages, age = found[account, currency], _age(days)
            before = ages.get(age, (0, 0))
            ages[age] = before[0] + int(debited), before[1] + int(credited)
    return found


def _age(days: int) -> str:
    return next(age for age, (_, most) in AGES.items() if most is None or days <= most)


def _aged(account: str, balance: Money, moved: dict[str, tuple[int, int]]) -> Unsettled:
    rest, ages = balance.minor, {}
    for age, (_, most) in AGES.items():
        debited, credited = moved.get(age, (0, 0))
        ages[age] = rest if most is None else min(rest, debited) if rest > 0 else max(rest, credited)
        rest -= ages[age]
    return Unsettled(
        account=account,
        balance=balance,
        ages={age: Money(minor, balance.currency) for age, minor in ages.items()},
    )


def _oldest_open(cell: Cell, amount: int, side: int) -> date:
    """A day from which on the account moved `amount` or more to that side: as near as doubling finds it."""
    days = 31
    while True:
        since = cell.last - timedelta(days=days)
        moved, first = _moved_since(cell, since, side)
        if moved >= amount or since <= first:
            return since
        days *= 2


def _moved_since(cell: Cell, since: date, side: int) -> tuple[int, date]:
    with connection.cursor() as cursor:
        cursor.execute(_MOVED_SINCE, [since, cell.last, side, cell.currency, cell.account])
        moved, first = cursor.fetchone() or (0, since)
    return int(moved), first or since
