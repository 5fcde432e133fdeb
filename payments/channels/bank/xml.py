"""XML from outside, read without the parts of XML that attack: no document types, no entities, no depth. Pure."""

from collections.abc import Mapping
from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

_LARGEST: Final = 64 * 1024 * 1024
_DEEPEST: Final = 40


def parse(content: bytes) -> Element:
    """The root, with names without their namespace. Raises `ValueError` for all that is not plain, whole XML."""
    if len(content) > _LARGEST:
        raise ValueError("too large")
    reader = _Reader()
    try:
        return reader.read(content)
    except (expat.ExpatError, LookupError) as problem:
        raise ValueError(f"not XML: {problem}") from problem


class _Reader:
    def __init__(self) -> None:
        self._depth = 0
        self._tree = TreeBuilder()
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.StartDoctypeDeclHandler = _refuse
        self._parser.EntityDeclHandler = _refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._tree.data

    def read(self, content: bytes) -> Element:
        self._parser.Parse(content, True)
        return self._tree.close()

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("nested too deeply")
        self._tree.start(name.rpartition("}")[2], dict(attributes))

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._tree.end(name.rpartition("}")[2])


def _refuse(*declaration: object) -> None:
    raise ValueError("a document type declaration is refused")
