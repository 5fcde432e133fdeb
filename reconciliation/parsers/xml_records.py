"""XML from outside, one small tree at a time, without the parts of XML that attack: no document types, no entities,
no depth, no record that fills the memory. Pure."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from reconciliation.errors import StatementDamaged, StatementTruncated
from reconciliation.parsers.archives import Content

_BLOCK: Final = 64 * 1024
_DEEPEST: Final = 40
_LARGEST_RECORD: Final = 4 * 1024 * 1024
_ELEMENT: Final = 100  # about what one takes in memory
_ENDS_TOO_SOON: Final = frozenset(
    {"no element found", "unclosed token", "unclosed CDATA section", "partial character"}
)


def records(content: Content, parents: Collection[str]) -> Iterator[tuple[int, Element]]:
    """The line and the tree of every child of elements called one of `parents`, and an empty tree at the end of each.

    Names come without their namespace.
    """
    reader = _Reader(parents)
    while block := content.read(_BLOCK):
        yield from reader.read(block, is_last=False)
    yield from reader.read(b"", is_last=True)


class _Reader:
    def __init__(self, parents: Collection[str]) -> None:
        self._parents = parents
        self._open: list[str] = []
        self._tree: TreeBuilder | None = None
        self._tree_depth = self._tree_line = self._size = 0
        self._record = ""
        self._found: list[tuple[int, Element]] = []
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.EntityDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def read(self, block: bytes, *, is_last: bool) -> list[tuple[int, Element]]:
        self._found = []
        try:
            self._parser.Parse(block, is_last)
        except expat.ExpatError as problem:
            self._raise(problem, is_last=is_last)
        except (LookupError, ValueError) as problem:  # an encoding that nobody knows
            raise StatementDamaged("The file is XML in an encoding that can not be read.") from problem
        return self._found

    def _raise(self, problem: expat.ExpatError, *, is_last: bool) -> None:
        said, line = expat.ErrorString(problem.code), problem.lineno
        if is_last and said in _ENDS_TOO_SOON:
            raise StatementTruncated(
                f"The file ends in line {line}, inside of it: fetch it again.", line=line
            ) from problem
        raise StatementDamaged(
            f"Line {line} is not XML ({said}): fetch the file again.", line=line
        ) from problem

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        plain = name.rpartition("}")[2]
        if len(self._open) >= _DEEPEST:
            raise self._damaged("is nested too deeply")
        if self._tree is None and self._open and self._open[-1] in self._parents:
            self._tree, self._tree_depth, self._size = TreeBuilder(), len(self._open), 0
            self._tree_line, self._record = self._parser.CurrentLineNumber, plain
        elif self._tree is not None and plain == self._record:
            raise self._damaged("begins an entry inside an entry")
        self._open.append(plain)
        if self._tree is not None:
            self._grow(_ELEMENT + sum(len(key) + len(value) for key, value in attributes.items()))
            self._tree.start(plain, dict(attributes))

    def _end(self, name: str) -> None:
        plain = self._open.pop()
        if self._tree is not None:
            self._tree.end(plain)
            if len(self._open) == self._tree_depth:
                self._found.append((self._tree_line, self._tree.close()))
                self._tree = None
        elif plain in self._parents:
            self._found.append((self._parser.CurrentLineNumber, Element(plain)))

    def _text(self, text: str) -> None:
        if self._tree is not None:
            self._grow(len(text))
            self._tree.data(text)

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > _LARGEST_RECORD:
            raise self._damaged("begins an entry that is larger than any")

    def _refuse(self, *declaration: object) -> None:
        raise self._damaged("declares a document type, which no statement does")

    def _damaged(self, what: str) -> StatementDamaged:
        line = self._parser.CurrentLineNumber
        return StatementDamaged(f"Line {line} {what}: do not open this file.", line=line)
