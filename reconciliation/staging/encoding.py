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
_DIGITS = dict.fromkeys(range(128), "!") | {
    ord(ours): python
    for ours, python in zip(
        "0123456789abcdefghjkmnpqrstvwxyz", "0123456789abcdefghijklmnopqrstuv", strict=True
    )
}
# How many columns, then each with its length before it.
_FIXED = struct.Struct(">h ii i16s ih i16s iq iq iq")


def _with_length(text: str) -> bytes:
    content = text.encode("utf-8", "replace").replace(b"\0", b"")
    return len(content).to_bytes(4, "big") + content


_KINDS = {kind.value: _with_length(kind.value) for kind in LineKind}
_STATES = {state.value: _with_length(state.value) for state in LineState}
_EMPTY = _with_length("")


def named(reference: str) -> tuple[bytes, int]:
    """The key inside att_… or ref_…, and which try of a refund (ref_…_2); `NOBODY` when it names nothing of ours."""
    if reference[:4] not in _OURS or not reference.isascii():
        return NOBODY, 1
    body, rest = reference[4:_LENGTH], reference[_LENGTH:]
    try:
        if len(body) != _LENGTH - 4:
            return NOBODY, 1
        key = int(body.translate(_DIGITS), 32).to_bytes(16, "big")
        if key == NOBODY:
            return NOBODY, 1
    except (ValueError, OverflowError):
        return NOBODY, 1
    if not rest:
        return key, 1
    if rest[0] == "_" and rest[1:].isdecimal() and len(rest) <= 4:
        return key, int(rest[1:])
    return NOBODY, 1


def blocks(lines: Iterable[Line]) -> Iterator[tuple[int, bytes]]:
    """How many rows, and their bytes."""
    rows: list[bytes] = []
    append, fixed = rows.append, _FIXED.pack
    for number, kind, reference, parent, theirs, group, amount, fee, currency, at, state, text in lines:
        ref, part = named(reference) if reference else (NOBODY, 1)
        since = at - _ZERO
        at_microseconds = (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
        parent_key = named(parent)[0] if parent else NOBODY
        append(
            fixed(14, 4, number, 16, ref, 2, part, 16, parent_key, 8, amount, 8, fee, 8, at_microseconds)
            + _with_length(currency)
            + _KINDS[kind]
            + _STATES[state]
            + _with_length(theirs)
            + (_with_length(group) if group else _EMPTY)
            + (_with_length(reference) if reference and ref is NOBODY else _EMPTY)
            + (_with_length(text) if text else _EMPTY)
        )
        if len(rows) == _BLOCK:
            yield _BLOCK, b"".join(rows)
            rows.clear()
    yield len(rows), b"".join(rows)
