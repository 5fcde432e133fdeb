"""Tables as CSV, row by row, safe to open in a spreadsheet. Pure.

A spreadsheet runs a cell that begins like a formula. Text that does gets an apostrophe in front; numbers that we write
ourselves do not: they are given as numbers.
"""

import csv
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias

from ledger.money import Money

Value: TypeAlias = str | int | Decimal | date | datetime | Money | None

# The full-width forms count as the plain ones in East Asian editions.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_BYTE_ORDER_MARK = "\ufeff"


class _Line:
    """Gives back what `csv` would write."""

    def write(self, text: str) -> str:
        return text


def rows_as_csv(
    header: Iterable[str], rows: Iterable[Iterable[Value]], *, byte_order_mark: bool = False
) -> Iterator[str]:
    """Lines that end in CRLF. An amount of money takes three columns: major units, minor units, currency. With the
    mark, Excel reads the text as the UTF-8 that it is."""
    writer = csv.writer(_Line())
    yield (_BYTE_ORDER_MARK if byte_order_mark else "") + writer.writerow(header)
    for row in rows:
        yield writer.writerow([text for value in row for text in _cells(value)])


def money_columns(name: str) -> tuple[str, str, str]:
    return name, f"{name}_minor", f"{name}_currency"


def _cells(value: Value) -> tuple[str, ...]:
    if isinstance(value, Money):
        return f"{value.major:f}", str(value.minor), value.currency
    if isinstance(value, datetime | date):
        return (value.isoformat(),)
    if isinstance(value, str):
        return (f"'{value}" if value.startswith(_FORMULA) else value,)
    return ("" if value is None else str(value),)
