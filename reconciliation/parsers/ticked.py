"""The form of WeChat Pay's bills: a header, rows with a backtick before every value, a summary of one row. Pure."""

from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final

from reconciliation.errors import (
    StatementDamaged,
    StatementRowMalformed,
    StatementTotalsDiffer,
    StatementTruncated,
)
from reconciliation.parsers.archives import single
from reconciliation.parsers.fields import count, decimal, malformed, wrong_width
from reconciliation.parsers.texts import lines_of, normalised

_TICK: Final = "`"
_BETWEEN: Final = ",`"


class Ticked:
    """`header` is there at once, the summary only behind the last row."""

    def __init__(self, stream: BinaryIO) -> None:
        self._lines = enumerate(lines_of(single(stream), "utf-8"), 1)
        _, first = next(self._lines, (0, ""))
        self.header = [normalised(name) for name in first.split(",")]
        self._summary: dict[str, str] = {}
        self._summary_line = 0

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The number and the cells of each row, and one empty cell for columns that this file does not have."""
        width, number = len(self.header), 1
        for number, line in self._lines:
            if line[:1] != _TICK:
                return self._read_summary(number, line)
            cells = line[1:].split(_BETWEEN)
            if len(cells) != width:
                raise wrong_width(len(cells), width, line=number)
            cells.append("")
            yield number, cells
        raise _cut_off(number)

    def _read_summary(self, number: int, line: str) -> None:
        header = [normalised(name) for name in line.split(",")]
        if not line:
            raise _cut_off(number)
        self._summary_line, row = next(self._lines, (number, ""))
        if not row:
            raise _cut_off(number)
        cells = row.removeprefix(_TICK).split(_BETWEEN)
        if not row.startswith(_TICK) or len(cells) != len(header):
            raise wrong_width(len(cells), len(header), line=self._summary_line)
        self._summary = dict(zip(header, cells, strict=True))
        for after, rest in self._lines:
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
