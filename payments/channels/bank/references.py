"""The words by which a transfer is recognised: sixteen characters that follow from our identifier alone. Pure.

"SC", thirteen characters of a hash and a check character, in Crockford's alphabet: no I, L, O or U. Customers type
them in lower case, with spaces, with the letter O for the digit 0, and between other words; all that is read.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from ledger.identifiers import decode

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PREFIX: Final = "SC"
_HASHED: Final = 13
_LOOKS_LIKE_ONE: Final = re.compile(rf"{_PREFIX}[{_ALPHABET}]{{{_HASHED + 1}}}")
_READ_AS: Final = str.maketrans("OIL", "011")


def transfer_reference(reference: str) -> str:
    """What the customer quotes for `att_…`."""
    number = int.from_bytes(sha256(reference.encode("ascii")).digest(), "big")
    hashed = "".join(_ALPHABET[number >> 5 * place & 31] for place in range(_HASHED))
    return f"{_PREFIX}{hashed}{_check_character(hashed)}"


def references_in(texts: Iterable[str]) -> set[str]:
    """Every reference with the right check character in what was written on a transfer."""
    return {found for text in texts for found in _found(_plain(text))}


def quotes(texts: Iterable[str], reference: str) -> bool:
    """Whether one of these texts holds this reference, whatever stands around it."""
    return any(reference in _plain(text) for text in texts)


def begun_at(reference: str) -> datetime:
    """When `att_…` was made. Raises `MalformedIdentifier`."""
    milliseconds = decode("att", reference).int >> 80
    return datetime.fromtimestamp(milliseconds // 1000, UTC)


def _found(plain: str) -> Iterator[str]:
    place = 0
    while match := _LOOKS_LIKE_ONE.search(plain, place):
        whole = match[0]
        genuine = _check_character(whole[len(_PREFIX) : -1]) == whole[-1]
        place = match.end() if genuine else match.start() + 1
        if genuine:
            yield whole


def _plain(text: str) -> str:
    return re.sub(r"[^0-9A-Z]", "", text.upper()).translate(_READ_AS)


def _check_character(hashed: str) -> str:
    """Luhn's algorithm over 32 characters: finds one wrong character, and two neighbours exchanged."""
    total = 0
    for place, character in enumerate(reversed(hashed)):
        product = _ALPHABET.index(character) * (2 - place % 2)
        total += product // 32 + product % 32
    return _ALPHABET[-total % 32]
