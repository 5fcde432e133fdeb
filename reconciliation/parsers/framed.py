"""The form of Alipay's bills: GBK, `#` lines before and behind a CSV table, the last of them with totals. Pure."""

import csv
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from reconciliation.errors import (
    StatementDamaged,
    StatementOtherDay,
    StatementRowMalformed,
    StatementTotalsDiffer,
    StatementTruncated,
)
from reconciliation.parsers.archives import Content
from reconciliation.parsers.contract import Told
from reconciliation.parsers.fields import loose_decimal, require_merchant, wrong_width
from reconciliation.parsers.texts import blocks_of, normalised, numbered

_MOST_NOTES: Final = 64
_ACCOUNT: Final = re.compile(r"账号[:：]\s*\[(\d+)\]")
_OWNER: Final = re.compile(r"0156$")  # what Alipay adds to the number of the merchant
_SPAN: Final = re.compile(r"\[(\d{4}年\d{2}月\d{2}日 \d{2}:\d{2}:\d{2})\]")
_SPAN_FORMAT: Final = "%Y年%m月%d日 %H:%M:%S"
_TOTAL: Final = re.compile(r"#(\w+)合计[:：]\s*(\d{1,12})笔[,，]\s*[^\d\s]*共\s*([-+]?\d[\d.]*)元")
_END: Final = "列表结束"
NOTE: Final = "#"
_QUOTE: Final = '"'
# As a pattern. A longer one is no cell for the reader of CSV either.
CELL: Final = r'[^",\r\n]{0,1000}+'
Row = tuple[int, list[str]]
Block = tuple[int, str]


class Framed:
    """`header` and rows of one member."""

    def __init__(self, content: Content, told: Told) -> None:
        self._told = told
        self._notes: list[tuple[int, str]] = []
        self._blocks = blocks_of(content, "gb18030")
        self._put_back: list[Block] = []
        self._number = self._last_of_block = 0
        self._ended = False
        self._reader = csv.reader(self._lines())
        self.header = [normalised(name) for name in self._next_header()]
        self.header_line = self._number
        self._check_head()

    def rows(self) -> Iterator[Row]:
        """The number and the cells of each row, and one empty cell for columns that this file does not have."""
        while not self._ended:
            yield from self._rows_of_block()
        self._require_end()

    def stretches(self) -> Iterator[Iterator[Row] | Block]:
        """The same: rows, to be read before the next is asked for; or lines of which none is quoted, for `row`."""
        while not self._ended:
            yield self._rows_of_block()
            while block := self._next_unquoted():
                yield block
        self._require_end()

    def row(self, number: int, line: str) -> Row | None:
        """That of a line in which nothing is quoted, if it is one."""
        if self._is_apart(number, line):
            return None
        try:
            [cells] = csv.reader([line])
        except csv.Error as problem:
            raise _no_csv(number, problem) from problem
        return self._row(number, cells)

    def agree(self, totals: Mapping[str, tuple[int, int]]) -> None:
        """Compares the notes behind the table with what the rows come to: counts, and sums without their sign."""
        told = {
            match[1]: (number, int(match[2]), abs(loose_decimal(match[3], 2)))
            for number, note in self._notes
            if (match := _TOTAL.match(note))
        }
        for name, (count, total) in totals.items():
            if name not in told:
                raise StatementTruncated(
                    f"The total {name}合计 is missing: the file is cut off. Fetch it again."
                )
            line, told_count, told_total = told[name]
            if (told_count, told_total) != (count, abs(total)):
                raise StatementTotalsDiffer(
                    f"Line {line} says {told_count} × {name}, together {told_total} fen; the rows come to {count}, "
                    f"together {abs(total)} fen: fetch the file again.",
                    line=line,
                )

    def _rows_of_block(self) -> Iterator[Row]:
        """Up to the end of the block of lines in which the last of them ends."""
        try:
            for cells in self._reader:
                yield self._row(self._number, cells)
                if self._number == self._last_of_block:
                    return
        except csv.Error as problem:
            raise _no_csv(self._number, problem) from problem
        self._ended = True

    def _next_unquoted(self) -> Block | None:
        block = next(self._blocks, None)
        if block and _QUOTE in block[1]:
            self._put_back.append(block)
            return None
        if block:
            self._number = block[0] + block[1].count("\n")
        return block

    def _lines(self) -> Iterator[str]:
        while block := self._put_back.pop() if self._put_back else next(self._blocks, None):
            first, text = block
            self._last_of_block = first + text.count("\n")
            for self._number, line in numbered(first, text):
                if not self._is_apart(self._number, line):
                    yield line

    def _is_apart(self, number: int, line: str) -> bool:
        """Whether the line is none of the table's."""
        if line[:1] != NOTE:
            return not line
        if len(self._notes) == _MOST_NOTES:
            raise StatementDamaged(f"Line {number} is one note too many: this is no bill.", line=number)
        self._notes.append((number, line))
        return True

    def _row(self, number: int, cells: list[str]) -> Row:
        if len(cells) != len(self.header):
            raise wrong_width(len(cells), len(self.header), line=number)
        cells.append("")
        return number, cells

    def _require_end(self) -> None:
        if not any(_END in note for _, note in self._notes):
            raise StatementTruncated(f"The list has no end after line {self._number}: the file is cut off.")

    def _next_header(self) -> list[str]:
        try:
            return next(self._reader, [])
        except csv.Error as problem:
            raise StatementDamaged("The file has no header: it is no bill of Alipay's.") from problem

    def _check_head(self) -> None:
        for number, note in self._notes:
            if account := _ACCOUNT.search(note):
                told = account[1] if account[1] == self._told.merchant else _OWNER.sub("", account[1])
                require_merchant(self._told, told, line=number)
            span = _SPAN.findall(note)
            if "起始日期" in note and len(span) == 2:
                self._check_span(span[0], span[1], number)

    def _check_span(self, begin: str, end: str, number: int) -> None:
        """The end is written as the last second of a day or as the first of the next."""
        try:
            first = datetime.strptime(begin, _SPAN_FORMAT).date()  # noqa: DTZ007 - Alipay's own day
            last = (datetime.strptime(end, _SPAN_FORMAT) - timedelta(seconds=1)).date()  # noqa: DTZ007
        except (ValueError, OverflowError) as problem:
            raise StatementDamaged(
                f"Line {number} names no days: fetch the file again.", line=number
            ) from problem
        if not (self._told.covers(first) and self._told.covers(last)):
            raise StatementOtherDay(
                f"Line {number} says that the bill is of {first} to {last}, and this was to be that of "
                f"{self._told.day}: import it for that.",
                line=number,
            )


def _no_csv(number: int, problem: csv.Error) -> StatementRowMalformed:
    return StatementRowMalformed(f"Line {number} is not CSV ({problem}): fetch the file again.", line=number)
