"""The form of WeChat Pay's bills: a header, rows with a backtick before every value, a summary of one row. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import BinaryIO, Final

from reconciliation.errors import (
    StatementDamaged,
    StatementRowMalformed,
    StatementTotalsDiffer,
    StatementTruncated,
)
from reconciliation.parsers.archives import single
from reconciliation.parsers.fields import count, decimal, malformed, wrong_width
from reconciliation.parsers.texts import blocks_of, normalised, numbered

TICK: Final = "`"
BETWEEN: Final = ",`"
# As patterns: a cell in which no comma is, and one in which some may be.
CELL: Final = "[^,\\r\\n]*+"
TEXT: Final = f"{CELL}(?:,(?!{TICK}){CELL})*+"


class Ticked:
    """`header` is there at once, the summary only behind the last row."""

    def __init__(self, stream: BinaryIO) -> None:
        self._blocks: Iterator[tuple[int, str]] = blocks_of(single(stream), "utf-8")
        _, block = next(self._blocks, (1, ""))
        first, more, rest = block.partition("\n")
        if more:
            self._blocks = chain([(2, rest)], self._blocks)
        self.header = [normalised(name) for name in first.removesuffix("\r").split(",")]
        self._end = 0
        self._summary: dict[str, str] = {}
        self._summary_line = 0

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The number and the cells of each row, and one empty cell for columns that this file does not have."""
        for first, block in self.blocks():
            yield from self.rows_of(numbered(first, block))

    def blocks(self) -> Iterator[tuple[int, str]]:
        """Blocks of lines up to that in which the rows end. There `rows_of` must have come to their end."""
        last = 1
        for first, block in self._blocks:
            yield first, block
            if self._end:
                return self._read_summary(islice(numbered(first, block), self._end - first, None))
            last = first + block.count("\n")
        raise _cut_off(last)

    def rows_of(self, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
        """Those of some lines, up to the summary."""
        for number, line in lines:
            if line[:1] != TICK:
                self._end = number
                return
            cells = line[1:].split(BETWEEN)
            if len(cells) != len(self.header):
                raise wrong_width(len(cells), len(self.header), line=number)
            cells.append("")
            yield number, cells

    def _read_summary(self, of_block: Iterator[tuple[int, str]]) -> None:
        following = (line for first, block in self._blocks for line in numbered(first, block))
        lines = chain(of_block, following)
        number, line = next(lines)
        header = [normalised(name) for name in line.split(",")]
        if not line:
            raise _cut_off(number)
        self._summary_line, row = next(lines, (number, ""))
        if not row:
            raise _cut_off(number)
        cells = row.removeprefix(TICK).split(BETWEEN)
        if not row.startswith(TICK) or len(cells) != len(header):
            raise wrong_width(len(cells), len(header), line=self._summary_line)
        self._summary = dict(zip(header, cells, strict=True))
        for after, rest in lines:
            if rest:
                raise StatementDamaged(f"Line {after} follows the summary: fetch the file again.", line=after)

    def agree(self, counts: Mapping[str, int], sums: Mapping[str, tuple[int, int]]) -> None:
        """Compares the summary with what the rows come to: counts, and sums with their decimals.

        The first count must be there; of the others, and of the sums, those that the summary has.
        """
        line, cells = self._summary_line, self._summary
        if next(iter(counts)) not in cells:
            raise StatementRowMalformed(f"Line {line - 1} is no row and no summary.", line=line - 1)
        try:
            for name, found in counts.items():
                if name in cells and count(cells[name]) != found:
                    raise _differs(line, name, cells[name], str(found))
            for name, (total, digits) in sums.items():
                if name in cells and decimal(cells[name], digits) != total:
                    raise _differs(line, name, cells[name], _written(total, digits))
        except ValueError as problem:
            raise malformed(problem, line=line, header=[*cells], cells=[*cells.values()]) from problem


def _cut_off(line: int) -> StatementTruncated:
    return StatementTruncated(
        f"The file ends in line {line}, without a summary row: it is cut off. Fetch it again.", line=line
    )


def _differs(line: int, name: str, told: str, found: str) -> StatementTotalsDiffer:
    return StatementTotalsDiffer(
        f"Line {line} says {name} is {told}, the rows come to {found}: fetch the file again.",
        line=line,
        column=name,
    )


def _written(total: int, digits: int) -> str:
    whole, rest = divmod(abs(total), 10**digits)
    return f"{'-' if total < 0 else ''}{whole}.{rest:0{digits}d}"
