"""The form of WeChat Pay's bills: a header, rows with a backtick before every value, a summary of one row. Pure."""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import BinaryIO, Final

from reconciliation.errors import (
    StatementDamaged,
    StatementRowMalformed,
    StatementTotalsDiffer,
    StatementTruncated,
)
from reconciliation.parsers.archives import single
from reconciliation.parsers.fields import count, decimal, malformed, wrong_width
from reconciliation.parsers.texts import blocks_of, normalised

TICK: Final = "`"
BETWEEN: Final = ",`"
CELL: Final = "[^,\\n]*+(?:,(?!`)[^,\\n]*+)*+"  # as a pattern
_NEXT_ROW: Final = f"\n{TICK}"
_NO_ROW: Final = re.compile(f"^(?!{TICK})", re.MULTILINE)


class Ticked:
    """`header` is there at once, the summary only behind the last row."""

    def __init__(self, stream: BinaryIO) -> None:
        self._blocks: Iterator[tuple[int, str]] = blocks_of(single(stream), "utf-8")
        _, block = next(self._blocks, (1, ""))
        first, more, rest = block.partition("\n")
        if more:
            self._blocks = chain([(2, rest)], self._blocks)
        self.header = [normalised(name) for name in first.split(",")]
        self._summary: dict[str, str] = {}
        self._summary_line = 0

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The number and the cells of each row, and one empty cell for columns that this file does not have."""
        for first, block in self.blocks():
            for number, line in enumerate(block.split("\n"), first):
                yield number, self.cells(number, line)

    def cells(self, number: int, line: str) -> list[str]:
        cells = line[1:].split(BETWEEN)
        if len(cells) != len(self.header):
            raise wrong_width(len(cells), len(self.header), line=number)
        cells.append("")
        return cells

    def blocks(self) -> Iterator[tuple[int, str]]:
        """Whole rows, many at once, and the number of the first; the summary is read behind the last."""
        last = 1
        for first, block in self._blocks:
            if block[:1] == TICK and block.count("\n") == block.count(_NEXT_ROW):
                yield first, block
                last = first + block.count("\n")
                continue
            odd = _NO_ROW.search(block)
            end = odd.start() if odd else 0
            if end:
                yield first, block[: end - 1]
            return self._read_summary(first + block.count("\n", 0, end), block[end:])
        raise _cut_off(last)

    def _read_summary(self, number: int, block: str) -> None:
        lines = enumerate(self._lines_from(block), number)
        _, line = next(lines)
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

    def _lines_from(self, block: str) -> Iterator[str]:
        yield from block.split("\n")
        for _, other in self._blocks:
            yield from other.split("\n")

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
