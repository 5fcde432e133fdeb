"""Lines as PostgreSQL's binary COPY takes them: the fastest way in."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import Final, NamedTuple

from reconciliation.rows import Batch, Line, LineKind, LineState, Payments

# First what is the same in all plain payments.
COLUMNS: Final = (
    "kind, state, currency, grp, reference, part, parent, number, ref, amount, fee, happened_at,"
    " their_reference, text"
)
HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
NOBODY: Final = bytes(16)
_OURS = ("att_", "ref_")
_LENGTH = 30  # of att_… and ref_…
_ZERO = datetime(2000, 1, 1, tzinfo=UTC)
# Crockford's digits as int() reads them in base 32; whatever it would read beside them becomes no digit.
_CROCKFORD = b"0123456789abcdefghjkmnpqrstvwxyz"
_PYTHON = b"0123456789abcdefghijklmnopqrstuv"
_DIGITS = bytes(_PYTHON[_CROCKFORD.index(code)] if code in _CROCKFORD else ord("!") for code in range(256))
_MOST_REMEMBERED = 1 << 16
_LENGTH_OF = struct.Struct(">i").pack
_COUNT = struct.pack(">h", 14)  # of columns; each has its length before it
_NAMES = struct.Struct(">ih i16s").pack
_FIXED = struct.Struct(">ii i16s iq iq iq").pack
# With the length of the text behind it.
_PLAIN = struct.Struct(">ii i16s iq iq iq i").pack
_KEY = struct.Struct(">4x16s").pack
_KEYS = struct.Struct(">4x16s").iter_unpack


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


class Encoded(NamedTuple):
    """`keys` are those inside the names of ours that the rows have, each after four bytes of nothing."""

    rows: int
    content: bytes
    keys: bytes


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


def encoded(batches: Iterable[Batch]) -> Iterator[Encoded]:
    texts = _Texts()
    for batch in batches:
        yield _payments(batch, texts) if isinstance(batch, Payments) else _lines(batch, texts)


def _lines(lines: Sequence[Line], texts: _Texts) -> Encoded:
    pieces: list[bytes] = []
    keys: list[bytes] = []
    for number, kind, reference, parent, theirs, group, amount, fee, currency, at, state, text in lines:
        ref, part = named(reference) if reference else _NONE
        parent_key = named(parent)[0] if parent else NOBODY
        if ref is not NOBODY:
            keys.append(_KEY(ref))
        pieces += (
            _COUNT,
            _KINDS[kind],
            _STATES[state],
            texts[currency],
            texts[group],
            texts[reference] if reference and ref is NOBODY else _EMPTY,
            _NAMES(2, part, 16, parent_key),
            _FIXED(4, number, 16, ref, 8, amount, 8, fee, 8, _microseconds(at)),
            _with_length(theirs),
            texts[text],
        )
    return Encoded(len(lines), b"".join(pieces), b"".join(keys))


def _payments(payments: Payments, texts: _Texts) -> Encoded:
    """The same bytes, made by column."""
    kind, state = _KINDS[LineKind.PAYMENT], _STATES[LineState.SUCCESS]
    same = _COUNT + kind + state + texts[payments.currency] + _EMPTY + _EMPTY + _NAMES(2, 1, 16, NOBODY)
    midnight = _microseconds(payments.midnight)
    moments = [midnight + second * 1_000_000 for second in payments.seconds]
    theirs = "\n".join(payments.their_references).encode().split(b"\n")
    keys = _keys(payments.references)
    ours = (key for (key,) in _KEYS(keys))
    fixed = map(
        _PLAIN,
        *(repeat(4), payments.numbers, repeat(16), ours),
        *(repeat(8), payments.amounts, repeat(8), payments.fees, repeat(8), moments, map(len, theirs)),
    )
    rows = zip(repeat(same), fixed, theirs, map(texts.__getitem__, payments.texts))
    return Encoded(len(payments), b"".join(chain.from_iterable(rows)), keys)


def _keys(references: Sequence[str]) -> bytes:
    """What `named` finds in each, of names that are ours: they are one number of so many digits each."""
    digits = "".join(references).replace(_OURS[0], "000000").encode("ascii").translate(_DIGITS)
    number = int(digits, 32) if digits else 0
    return number.to_bytes(20 * len(references), "big")


def _microseconds(moment: datetime) -> int:
    since = moment - _ZERO
    return (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
