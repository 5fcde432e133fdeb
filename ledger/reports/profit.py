"""Profit and loss of a period in one currency. Every amount is what it does to profit: income adds, expense takes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db import connection

from ledger.money import Money
from ledger.reports.cells import By, Cell
from ledger.reports.relations import lines_by
from ledger.rules import CHART, Kind, kind_of

_CHUNK = 2000
_ACCOUNTS = "SELECT account, -sum(share) FROM found GROUP BY account ORDER BY account"
# One row for each key, its amounts by head of the chart.
_ROWS = """
SELECT key, json_object_agg(head, total ORDER BY head), sum(total) FROM (
    SELECT key, CASE WHEN account LIKE '%%:%%' THEN split_part(account, ':', 1) || ':' ELSE account END AS head,
        -sum(share) AS total
    FROM found GROUP BY 1, 2
) AS by_head
WHERE key > %s OR %s
GROUP BY key ORDER BY key"""
# Heads of income and expense, in the order in which they are read.
HEADS = tuple(head for head, kind in CHART.items() if kind in (Kind.INCOME, Kind.EXPENSE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Both days belong to it; they are accounting days."""

    first: date
    last: date
    currency: str

    def cell(self, account: str = "", *, kind: str = "", by: By = By.WHOLE, key: str = "") -> Cell:
        return Cell(
            currency=self.currency,
            first=self.first,
            last=self.last,
            account=account,
            kind=kind,
            by=by,
            key=key,
            credit=True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfitLine:
    account: str
    kind: Kind
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Profit:
    """`heads` are those of the chart that moved."""

    lines: tuple[ProfitLine, ...]
    income: Money
    expense: Money
    profit: Money

    @property
    def heads(self) -> tuple[str, ...]:
        moved = {head_of(line.account) for line in self.lines}
        return tuple(head for head in HEADS if head in moved)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfitRow:
    """A day, channel, article or order: its amounts by head of the chart."""

    key: str
    amounts: dict[str, Money]
    profit: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfitPage:
    rows: tuple[ProfitRow, ...]
    more: bool  # whether there are keys after the last row's


def head_of(account: str) -> str:
    head, colon, _ = account.partition(":")
    return head + colon


def profit_of(period: Period) -> Profit:
    """Income, expense and profit by account, in one statement over the lines of the period."""
    found, values = lines_by(period.cell())
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {found} {_ACCOUNTS}", values)
        lines = tuple(
            ProfitLine(account=name, kind=kind_of(name), amount=Money(int(minor), period.currency))
            for name, minor in cursor.fetchall()
        )
    income, expense = (
        sum(line.amount.minor for line in lines if line.kind == kind) for kind in (Kind.INCOME, Kind.EXPENSE)
    )
    return Profit(
        lines=lines,
        income=Money(income, period.currency),
        expense=Money(expense, period.currency),
        profit=Money(income + expense, period.currency),
    )


def profit_by(period: Period, by: By, *, after: str | None = None, limit: int = 100) -> ProfitPage:
    """A page of the profit by day, channel, article or order, in one statement; `after` is the last key before it.

    All rows together are the period's profit: what has no channel, article or order stands under the key "".
    """
    sql, values = _rows(period, by, after)
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} LIMIT %s", [*values, limit + 1])
        rows = [_row(period, row) for row in cursor.fetchall()]
    return ProfitPage(rows=tuple(rows[:limit]), more=len(rows) > limit)


def every_profit_by(period: Period, by: By) -> Iterator[ProfitRow]:
    """All of them, as the database sends them."""
    sql, values = _rows(period, by, None)
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, values)
        while rows := cursor.fetchmany(_CHUNK):
            for row in rows:
                yield _row(period, row)


def cell_of(period: Period, by: By, key: str, head: str = "") -> Cell:
    """The cell of a row; of a day, only that day's lines are read."""
    cell = period.cell(head, by=by, key=key)
    if by != By.DAY:
        return cell
    day = date.fromisoformat(key)
    return replace(cell, first=day, last=day)


def _rows(period: Period, by: By, after: str | None) -> tuple[str, list[Any]]:
    found, values = lines_by(period.cell(by=by))
    return f"WITH {found} {_ROWS}", [*values, after or "", after is None]


def _row(period: Period, row: tuple[Any, ...]) -> ProfitRow:
    key, amounts, profit = row
    return ProfitRow(
        key=key,
        amounts={head: Money(int(minor), period.currency) for head, minor in amounts.items()},
        profit=Money(int(profit), period.currency),
    )
