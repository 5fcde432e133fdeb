"""The last look at every log line: no card number and no secret leaves the process. Pure."""

import re
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any

CARD = "[card number]"
SECRET = "[secret]"

# Not inside a longer number or a fraction; the full stop of a sentence may follow.
_DIGITS = re.compile(r"(?<!\d)(?<!\d\.)\d(?:[ -]?\d){12,18}(?!\d)(?!\.\d)")
# A name that was drawn by chance, and no number, whatever digits it has.
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_FEWEST_DIGITS = 10**12
# UnionPay's own test cards carry no right check digit, and who knows which of its members' do.
_WITHOUT_CHECK_DIGIT = re.compile(r"62\d{14,17}")
_SECURITY_CODE = re.compile(
    r"((?:cvc|cvv2?|csc|security[ _-]?code)(?:[\"'\]\\\s:=]|%[0-9a-f]{2}){1,9})\d{3,4}(?![\w-])",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(
    r"secret|password|passwd|authorization|cookie|private_?key|api_?v?3?_?key|access_token|client_secret|^token$"
    r"|^(?:card_?)?(?:cvc|cvv2?|csc|security_?code)$",
    re.IGNORECASE,
)
# With what each has in it, which is quicker to look for.
_SECRET_VALUES = (
    ("k_", re.compile(r"\b(?:sk|rk)_(?:live|test)?_?\w{8,}")),
    ("whsec_", re.compile(r"\bwhsec_\w+")),
    ("_secret_", re.compile(r"\b\w+_secret_\w{8,}")),
    (" ", re.compile(r"(?<=Bearer )\S+", re.IGNORECASE)),
    ("://", re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")),
    (
        "PRIVATE KEY",
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL),
    ),
)


def passes_luhn(digits: str) -> bool:
    """Whether a text of digits carries the check digit of a card number."""
    total = 0
    for place, character in enumerate(reversed(digits)):
        value = int(character) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _hide_card(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match[0])
    is_card = passes_luhn(digits) or _WITHOUT_CHECK_DIGIT.fullmatch(digits)
    return CARD if is_card and len(set(digits)) > 1 and not _is_inside_uuid(match) else match[0]


def _hide_code(match: re.Match[str]) -> str:
    return match[1] + SECRET


def _is_inside_uuid(match: re.Match[str]) -> bool:
    return any(
        name.start() <= match.start() and match.end() <= name.end() for name in _UUID.finditer(match.string)
    )


def scrub_text(text: str) -> str:
    for sign, pattern in _SECRET_VALUES:
        if sign in text:
            text = pattern.sub(SECRET, text)
    return _SECURITY_CODE.sub(_hide_code, _DIGITS.sub(_hide_card, text))


def scrub_value(value: Any) -> Any:
    match value:
        case str():
            return scrub_text(value)
        case bool() | None | float():
            return value
        case int():
            return CARD if value >= _FEWEST_DIGITS and scrub_text(str(value)) == CARD else value
        case Mapping():
            return {scrub_value(key): _scrub_named(str(key), inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [scrub_value(inner) for inner in value]
        case _:
            return scrub_text(str(value))


@lru_cache(maxsize=1024)  # the same few names are in every line
def _promises_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name))


def _scrub_named(name: str, value: Any) -> Any:
    return SECRET if value and _promises_secret(name) else scrub_value(value)


_scrub_name = lru_cache(maxsize=1024)(scrub_text)


def scrub(logger: object, method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """A structlog processor; the last before rendering."""
    return {_scrub_name(name): _scrub_named(name, value) for name, value in event.items()}
