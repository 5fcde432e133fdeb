"""The quick way through a large file: rows that differ in a few columns only are read many at once. Pure.

A parser reads rows with care first. At one in which nothing is special, it writes down a pattern of all rows that are
like it but for the columns of a `Shape`. What the pattern finds is just what care would make of the row; every other
row is read with care, wherever it stands.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from operator import add
from typing import Final, NamedTuple, Protocol

from reconciliation.parsers.fields import all_cut
from reconciliation.parsers.texts import numbered
from reconciliation.rows import Batch, Line, Payments

# A moment of the day that is known; then what it is that differs. The first of all keys is nobody's.
_CLOCK: Final = "(?P<minute>(?:[01][0-9]|2[0-3]):[0-5][0-9]):(?P<second>[0-5][0-9])"
_OURS: Final = "(?P<ours>att_(?!0{26})[0-7][0-9a-hjkmnp-tv-z]{25})"
_THEIRS: Final = r"(?P<theirs>[!#-+\--~]{1,32})"
_AMOUNT: Final = r"(?P<amount>[0-9]{1,12}\.[0-9]{2})"
_MINUTES: Final = {f"{m // 60:02d}:{m % 60:02d}": m * 60 for m in range(24 * 60)}
_SECONDS: Final = {f"{second:02d}": second for second in range(60)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Where the columns are in which plain rows differ, and how such a row is written.

    `cell` is what any other cell looks like, `fee` a fee (it may be below zero), of which one unit is `thousandths`.
    `same_amount` is a column that repeats the amount, `loose` what may stand behind an identifier.
    """

    width: int
    time: int
    ours: int
    theirs: int
    amount: int
    same_amount: int
    fee: int
    text: int
    cell: str
    text_cell: str
    fee_cell: str
    thousandths: int
    before: str = ""
    between: str = ","
    loose: str = ""


class SortedOut(NamedTuple):
    """A block of lines: the plain ones, what their fees come to as they are written, and the others."""

    payments: Payments
    fees: int
    others: Sequence[tuple[int, str]]


class Plain:
    """Rows like one that was read with care: in the columns of `fixed` they have the same cells."""

    def __init__(self, shape: Shape, fixed: Mapping[int, str], currency: str, happened_at: datetime) -> None:
        self._pattern = re.compile(_pattern(shape, fixed, f"{happened_at:%Y-%m-%d} "))
        # By name, the last is what no other group has found.
        self._places = self._pattern.groupindex
        self._currency = currency
        self._midnight = happened_at.replace(hour=0, minute=0, second=0)
        self._thousandths = shape.thousandths

    def sort_out(self, first: int, block: str) -> SortedOut:
        found = self._pattern.findall(block)
        columns = dict(zip(self._places, zip(*found, strict=True), strict=True))
        numbers: Sequence[int] = range(first, first + len(found))
        others: list[tuple[int, str]] = []
        if "" in columns["minute"]:
            is_plain = list(map(bool, columns["minute"]))
            others = [
                (number, line.removesuffix("\r"))
                for number, plain, line in zip(numbers, is_plain, columns["other"], strict=True)
                if not plain
            ]
            numbers = list(compress(numbers, is_plain))
            columns = {name: tuple(compress(column, is_plain)) for name, column in columns.items()}
        fees = _whole(columns["fee"])
        minutes, seconds = columns["minute"], columns["second"]
        payments = Payments(
            numbers=numbers,
            references=columns["ours"],
            their_references=columns["theirs"],
            amounts=_whole(columns["amount"]),
            fees=fees if self._thousandths == 1 else [abs(fee) * self._thousandths for fee in fees],
            currency=self._currency,
            midnight=self._midnight,
            seconds=list(map(add, map(_MINUTES.__getitem__, minutes), map(_SECONDS.__getitem__, seconds))),
            texts=all_cut(columns["text"]),
        )
        return SortedOut(payments, sum(fees), others)


class Rows(Protocol):
    """The rows of one file, read with care."""

    plain: Plain | None  # as soon as there was a row that was

    def is_row(self, line: str, /) -> bool:
        """Whether it may be a row, and rows may follow."""

    def lines(self, rows: Iterable[tuple[int, str]], /) -> Iterator[Line]:
        """Of the rows up to the first line that is none."""

    def add(self, payments: Payments, fees: int, /) -> None:
        """This will count what was read without care."""


def batches(rows: Rows, first: int, block: str) -> Iterator[Batch]:
    """What is in a block of lines, of which `first` is the number of the first."""
    found = rows.plain and rows.plain.sort_out(first, block)
    if found and all(rows.is_row(line) for _, line in found.others):
        rows.add(found.payments, found.fees)
        yield found.payments
        yield list(rows.lines(found.others))
    else:
        yield list(rows.lines(numbered(first, block)))


def _pattern(shape: Shape, fixed: Mapping[int, str], day: str) -> str:
    cells = [shape.cell] * shape.width
    for place, cell in fixed.items():
        if place < shape.width:  # behind them is the column that this file does not have
            cells[place] = re.escape(cell)
    cells[shape.time] = day + _CLOCK
    cells[shape.ours] = _OURS + shape.loose
    cells[shape.theirs] = _THEIRS + shape.loose
    cells[max(shape.amount, shape.same_amount)] = "(?P=amount)"
    cells[min(shape.amount, shape.same_amount)] = _AMOUNT
    cells[shape.fee] = f"(?P<fee>{shape.fee_cell})"
    cells[shape.text] = f"(?P<text>{shape.text_cell})"
    return f"(?m)^{shape.before}{shape.between.join(cells)}\\r?$|^(?P<other>.*)$"


def _whole(column: Sequence[str]) -> list[int]:
    """`["1.23", "0.05"]` → `[123, 5]`."""
    return list(map(int, ",".join(column).replace(".", "").split(","))) if column else []
