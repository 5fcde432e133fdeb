"""The journal lines behind a number."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection

from ledger.identifiers import encode
from ledger.money import Money
from ledger.reports.cells import By, Cell
from ledger.reports.relations import Query, lines_by
from ledger.reports.unsettled import open_lines
from ledger.statements import balance_at

_CHUNK = 2000
_SUM = "SELECT coalesce(sum(share), 0) FROM found WHERE key = %s"
_SELECT = """
SELECT found.id, found.posted_on, head.id, head.happened_at, found.account, found.item, head.reference,
    head.description, found.amount, found.share
FROM found JOIN ledger_transaction AS head ON head.id = found.transaction_id
WHERE found.key = %s AND found.share <> 0"""
_AFTER = " AND (found.posted_on, found.id) < (%s, %s)"
_ORDER = " ORDER BY found.posted_on DESC, found.id DESC"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """`amount` is the line's, debits positive; `share` what of it counts for the number, by the number's sign."""

    entry: int
    posted_on: date
    happened_at: datetime
    transaction: str  # txn_…
    account: str
    item: str
    reference: str
    description: str
    amount: Money
    share: Money

    @property
    def is_part(self) -> bool:
        return abs(self.share.minor) != abs(self.amount.minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesPage:
    """Newest first. `next` is where the page after this one begins; empty at the end."""

    lines: tuple[JournalLine, ...]
    next: str


def sum_of(cell: Cell) -> Money:
    """The number itself, derived from its lines."""
    if cell.by == By.WHOLE and cell.first is None and cell.account and not cell.account.endswith(":"):
        total = balance_at(cell.account, cell.currency, cell.last).minor
    else:
        found, values = _found(cell)
        with connection.cursor() as cursor:
            cursor.execute(f"WITH {found} {_SUM}", [*values, cell.key])
            total = int(cursor.fetchone()[0])
    return Money(-total if cell.credit else total, cell.currency)


def lines_of(cell: Cell, *, after: str = "", limit: int = 100) -> LinesPage:
    """A page of the lines whose shares make the number, in one statement. An `after` that is not ours begins anew."""
    found, values = _found(cell)
    position = _position(after)
    sql = f"WITH {found} {_SELECT}{_AFTER if position else ''}{_ORDER} LIMIT %s"
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, cell.key, *position, limit + 1])
        lines = [_line(cell, row) for row in cursor.fetchall()]
    last = lines[limit - 1] if len(lines) > limit else None
    return LinesPage(
        lines=tuple(lines[:limit]), next=f"{last.posted_on.isoformat()}.{last.entry}" if last else ""
    )


def every_line_of(cell: Cell) -> Iterator[JournalLine]:
    """All of them, as the database sends them: memory stays flat, however many there are."""
    found, values = _found(cell)
    with connection.chunked_cursor() as cursor:
        cursor.execute(f"WITH {found} {_SELECT}{_ORDER}", [*values, cell.key])
        while rows := cursor.fetchmany(_CHUNK):
            for row in rows:
                yield _line(cell, row)


def _found(cell: Cell) -> Query:
    return open_lines(cell) if cell.by == By.AGE else lines_by(cell)


def _line(cell: Cell, row: tuple[Any, ...]) -> JournalLine:
    entry, posted_on, key, happened_at, account, item, reference, description, amount, share = row
    return JournalLine(
        entry=entry,
        posted_on=posted_on,
        happened_at=happened_at,
        transaction=encode("txn", key),
        account=account,
        item=item,
        reference=reference,
        description=description,
        amount=Money(amount, cell.currency),
        share=Money(-share if cell.credit else share, cell.currency),
    )


def _position(after: str) -> tuple[date, int] | tuple[()]:
    day, _, entry = after.partition(".")
    try:
        return date.fromisoformat(day), int(entry)
    except ValueError:
        return ()
