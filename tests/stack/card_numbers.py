"""A scanner for card numbers and security codes in whatever a program keeps. Shares no code with the program's own.

A card number here is 13 to 19 digits, alone or in groups with one space or dash between, that
- begin as a card scheme's numbers do and have a length that this scheme uses,
- end with the right check digit (Luhn),
- are a word of their own: no letter or digit touches them, and they are no fraction's ("0.5123456789012345").
UUIDs are taken out first, because groups of their digits look like groups of a number's. A number without meaning
passes all this about once in a hundred: the scheme's prefixes leave out what a program is full of, namely clocks in
milli-, micro- and nanoseconds (1…), dates (20…) and Alipay's and WeChat's identifiers (2021…, 2088…, 28 digits).
What is wrapped in base64 (sessions, the queue's messages), also compressed, is opened and looked into too.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Iterator

_RUN = re.compile(r"(?<![0-9A-Za-z])(?<![0-9]\.)[0-9](?:[ -]?[0-9]){12,18}(?![0-9A-Za-z])")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_BETWEEN = r"(?:[\"'\]\s:=]|%5D|%3D|%22|\\)"
_NAMED = r"(?:cvc|cvv|csc|security[ _-]?code)"
# Without anything between name and code the name is a word's beginning: "…xYcVc620" is a signature's random letters.
_SECURITY_CODE = re.compile(
    rf"(?:{_NAMED}{_BETWEEN}+|(?<![0-9A-Za-z]){_NAMED})\d{{3,4}}(?![0-9A-Za-z.])", re.IGNORECASE
)
_SCHEMES: tuple[tuple[str, range, frozenset[int]], ...] = tuple(
    (name, range(first, last + 1), frozenset(lengths))
    for name, first, last, lengths in (
        ("Visa", 4000, 4999, (13, 16, 19)),
        ("Mastercard", 5100, 5599, (16,)),
        ("Mastercard", 2221, 2720, (16,)),
        ("American Express", 3400, 3499, (15,)),
        ("American Express", 3700, 3799, (15,)),
        ("Diners Club", 3000, 3059, range(14, 20)),
        ("Diners Club", 3600, 3699, range(14, 20)),
        ("Diners Club", 3800, 3999, range(14, 20)),
        ("JCB", 3528, 3589, range(16, 20)),
        ("Discover", 6011, 6011, range(16, 20)),
        ("Discover", 6440, 6599, range(16, 20)),
        ("UnionPay", 6200, 6299, range(16, 20)),
        ("UnionPay", 8100, 8199, range(16, 20)),
        ("Maestro", 5000, 5099, range(13, 20)),
        ("Maestro", 5600, 5899, range(13, 20)),
        ("Maestro", 6300, 6399, range(13, 20)),
        ("Maestro", 6700, 6799, range(13, 20)),
    )
)


def findings(text: str) -> list[str]:
    """Every card number and security code in `text`, plain or wrapped."""
    return [found for layer in _layers(text) for found in (*_numbers(layer), *_codes(layer))]


def _numbers(text: str) -> Iterator[str]:
    for match in _RUN.finditer(_UUID.sub(" ", text)):
        digits = re.sub(r"\D", "", match[0])
        scheme = _scheme(digits)
        if scheme and _passes_luhn(digits):
            yield f"{scheme} {match[0]} in …{_around(match)}…"


def _codes(text: str) -> Iterator[str]:
    for match in _SECURITY_CODE.finditer(text):
        yield f"security code in …{_around(match)}…"


def _around(match: re.Match[str]) -> str:
    return match.string[max(0, match.start() - 60) : match.end() + 60]


def _scheme(digits: str) -> str:
    named = (name for name, first, lengths in _SCHEMES if int(digits[:4]) in first and len(digits) in lengths)
    return next(named, "")


def _passes_luhn(digits: str) -> bool:
    odd, even = digits[::-2], digits[-2::-2]
    return (sum(map(int, odd)) + sum(sum(divmod(2 * int(digit), 10)) for digit in even)) % 10 == 0


def _layers(text: str, depth: int = 2) -> Iterator[str]:
    yield text
    if depth:
        for wrapped in _BASE64.findall(text):
            for opened in _opened(wrapped):
                yield from _layers(opened, depth - 1)


def _opened(wrapped: str) -> Iterator[str]:
    raw = wrapped.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        content = base64.b64decode(raw + "=" * (-len(raw) % 4))
    except binascii.Error:
        return
    yield content.decode("latin-1")
    try:
        yield zlib.decompress(content).decode("latin-1")
    except zlib.error:
        return
