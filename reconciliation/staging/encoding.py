"""Lines as PostgreSQL's binary COPY takes them: the fastest way in."""

import struct
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from reconciliation.rows import Line, LineKind, LineState

COLUMNS: Final = (
    "number, ref, part, parent, amount, fee, happened_at, currency, kind, state, their_reference,"
    " grp, reference, text"
)
HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
NOBODY: Final = bytes(16)
_BLOCK = 2048
_OURS = ("att_", "ref_")
_LENGTH = 30  # of att_… and ref_…
_ZERO = datetime(2000, 1, 1, tzinfo=UTC)
# Crockford's digits as int() reads them in base 32; whatever it would read beside them becomes no digit.
_CROCKFORD = b"0123456789abcdefghjkmnpqrstvwxyz"
_PYTHON = b"0123456789abcdefghijklmnopqrstuv"
_DIGITS = bytes(_PYTHON[_CROCKFORD.index(code)] if code in _CROCKFORD else ord("!") for code in range(256))
_MOST_REMEMBERED = 1 << 16
_LENGTH_OF = struct.Struct(">i").pack
# How many columns, then each with its length before it.
_FIXED = struct.Struct(">h ii i16s ih i16s iq iq iq").pack


def _with_length(text: str) -> bytes:
    content = text.encode("utf-8", "replace").replace(b"\0", b"")
    return _LENGTH_OF(len(content)) + content


class _Texts(dict[str, bytes]):
    """Texts that come again and again are encoded once."""

    def __missing__(self, text: str) -> bytes:
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        self[text] = content = _with_length(text)
        return content


_KINDS = {kind.value: _with_length(kind.value) for kind in LineKind}
_STATES = {state.value: _with_length(state.value) for state in LineState}
_EMPTY = _with_length("")
_NONE = (NOBODY, 1)


def named(reference: str) -> tuple[bytes, int]:
    """The key inside att_… or ref_…, and which try of a refund (ref_…_2); `NOBODY` when it names nothing of ours."""
    if not reference.startswith(_OURS) or len(reference) < _LENGTH:
        return _NONE
    try:
        key = int(reference[4:_LENGTH].encode("ascii").translate(_DIGITS), 32).to_bytes(16, "big")
    except (ValueError, OverflowError):
        return _NONE
    if key == NOBODY:
        return _NONE
    if len(reference) == _LENGTH:
        return key, 1
    rest = reference[_LENGTH:]
    if rest[0] == "_" and rest[1:].isdecimal() and rest.isascii() and len(rest) <= 4:
        return key, int(rest[1:])
    return _NONE


def blocks(lines: Iterable[Line]) -> Iterator[tuple[int, bytes]]:
    """How many rows, and their bytes."""
    pieces: list[bytes] = []
    rows, texts = 0, _Texts()
    for number, kind, reference, parent, theirs, group, amount, fee, currency, at, state, text in lines:
        ref, part = named(reference) if reference else _NONE
        parent_key = named(parent)[0] if parent else NOBODY
        since = at - _ZERO
        microseconds = (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
        pieces += (
            _FIXED(14, 4, number, 16, ref, 2, part, 16, parent_key, 8, amount, 8, fee, 8, microseconds),
            texts[currency],
            _KINDS[kind],
            _STATES[state],
            _with_length(theirs),
            texts[group],
            texts[reference] if reference and ref is NOBODY else _EMPTY,
            texts[text],
        )
        rows += 1
        if rows == _BLOCK:
            yield rows, b"".join(pieces)
            pieces.clear()
            rows = 0
    yield rows, b"".join(pieces)
