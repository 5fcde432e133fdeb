"""From bytes to lines and cells. Pure."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from reconciliation.errors import (
    StatementColumnMissing,
    StatementDamaged,
    StatementRowMalformed,
    StatementTruncated,
)
from reconciliation.parsers.archives import Content

_BLOCK: Final = 1 << 18  # what is made of so much stays near the processor
_SMALL: Final = 4  # blocks, for which no thread begins
_LONGEST_LINE: Final = 1 << 20
_BOM: Final = "\ufeff"
# Full-width forms that one writer uses and the next does not.
_WIDTHS: Final = str.maketrans("（）：／", "():/", f"　 \t{_BOM}")


def lines_of(content: Content, encoding: str, *, ended: bool = False) -> Iterator[str]:
    """Every line without its end. Refuses what `blocks_of` does."""
    for number, block in blocks_of(content, encoding, ended=ended):
        for _, line in numbered(number, block):
            yield line


def numbered(first: int, block: str) -> Iterator[tuple[int, str]]:
    """The lines of a block without their ends, and their numbers."""
    for number, line in enumerate(block.split("\n"), first):
        yield number, line.removesuffix("\r")


def blocks_of(content: Content, encoding: str, *, ended: bool = False) -> Iterator[tuple[int, str]]:
    """Whole lines, many at once, and the number of the first. Each ends in a line feed, but not the last of a block.

    Refuses what is not in this encoding, and lines longer than a megabyte. `ended`: the last line of all must have an
    end, too. In a file without totals, nothing else shows that it was cut off.
    """
    rest, number = b"", 1
    for block in _ahead(content):
        head, end, tail = block.rpartition(b"\n")
        if not end:
            rest += block
            if len(rest) > _LONGEST_LINE:
                raise StatementDamaged(f"Line {number} does not end: this is no text file.", line=number)
            continue
        text = _decoded(rest + head, encoding, number)
        yield number, text
        number += text.count("\n") + 1
        rest = tail
    if rest:
        if ended:
            raise StatementTruncated(
                f"Line {number} has no end: the file is cut off. Fetch it again.", line=number
            )
        yield number, _decoded(rest, encoding, number)


def _ahead(content: Content) -> Iterator[bytes]:
    """A large file is unpacked by a second thread, a piece ahead of whoever reads it."""
    for _ in range(_SMALL):
        if not (block := content.read(_BLOCK)):
            return
        yield block
    thread = ThreadPoolExecutor(1)
    try:
        coming = thread.submit(content.read, _BLOCK)
        while block := coming.result():
            coming = thread.submit(content.read, _BLOCK)
            yield block
    finally:
        # What is given up half way ends when it is collected, at any moment of any thread, which must not wait then.
        thread.shutdown(wait=False, cancel_futures=True)


def _decoded(block: bytes, encoding: str, number: int) -> str:
    try:
        text = block.decode(encoding)
    except UnicodeDecodeError as problem:
        at = number + block.count(b"\n", 0, problem.start)
        raise StatementDamaged(
            f"Line {at} is not {encoding.upper()} text: fetch the file again.", line=at
        ) from problem
    if "\0" in text:
        at = number + text.count("\n", 0, text.index("\0"))
        raise StatementDamaged(f"Line {at} holds zero bytes: fetch the file again.", line=at)
    return text


class Table:
    """Rows of CSV and where in the file they stand."""

    def __init__(self, lines: Iterable[str], *, delimiter: str = ",", strict: bool = True) -> None:
        self._reader = csv.reader(lines, delimiter=delimiter, strict=strict)

    @property
    def number(self) -> int:
        """Of the line read last."""
        return self._reader.line_num

    def rows(self) -> Iterator[list[str]]:
        try:
            yield from self._reader
        except csv.Error as problem:
            raise StatementRowMalformed(
                f"Line {self.number} is not CSV ({problem}): fetch the file again.", line=self.number
            ) from problem


def normalised(header: str) -> str:
    """A column's name without what differs between its writers: the width of brackets, spaces, tabs."""
    return header.translate(_WIDTHS)


def positions(header: Sequence[str], wanted: Sequence[str], *, line: int) -> list[int]:
    """Where the `wanted` columns are. A name may be several ("a|b"), and one that may be missing ends in "?".

    A column that is missing and may be is one behind the last: there every row gets an empty cell.
    """
    places = {name: place for place, name in reversed([*enumerate(map(normalised, header))])}
    return [_position(places, name, len(header), line) for name in wanted]


def _position(places: dict[str, int], name: str, absent: int, line: int) -> int:
    names = name.removesuffix("?").split("|")
    for one in names:
        if one in places:
            return places[one]
    if name.endswith("?"):
        return absent
    raise StatementColumnMissing(
        f"The header in line {line} has no column {names[0]!r}: this is another kind of file, or a new layout of it.",
        line=line,
        column=names[0],
    )
