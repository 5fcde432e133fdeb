"""Identifiers for the outside world: a prefix and 26 characters over a UUIDv7 key ("pay_01jd…"). Pure."""

from datetime import datetime
from uuid import UUID

from uuid_utils import uuid7 as native_uuid7
from uuid_utils.compat import uuid7

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = range(120, -1, -10)
_LENGTH = 26


class MalformedIdentifier(ValueError):
    """The text is not an identifier with the expected prefix."""


def new_key() -> UUID:
    """A new time-ordered primary key (UUID version 7)."""
    return uuid7()


def new_digits() -> str:
    """The same as 32 hexadecimal digits, for those who make many."""
    return native_uuid7().hex


def first_key_of(moment: datetime) -> UUID:
    """The lowest key that can be made at `moment`: keys sort by their time, so rows since then are a range of keys."""
    return UUID(int=int(moment.timestamp() * 1000) << 80 | 0x7 << 76 | 0x2 << 62)


def encode(prefix: str, key: UUID) -> str:
    """`encode("pay", key)` → `"pay_"` and 26 characters that sort like the key."""
    number = key.int
    pairs = [_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS]
    return f"{prefix}_{''.join(pairs)}"


def decode(prefix: str, text: str) -> UUID:
    """The key inside `text`. Raises `MalformedIdentifier` on another prefix, length or character."""
    head, _, body = text.partition("_")
    if head != prefix or len(body) != _LENGTH or any(c not in _VALUES for c in body):
        raise MalformedIdentifier(f"{text[:60]!r} is not a {prefix}_ identifier")
    number = 0
    for character in body:
        number = number << 5 | _VALUES[character]
    if number >> 128:
        raise MalformedIdentifier(f"{text[:60]!r} is not a {prefix}_ identifier")
    return UUID(int=number)
