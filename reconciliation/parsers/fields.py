"""From cells to values: whole numbers, never floats, and nothing that is guessed. Pure."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reconciliation.errors import (
    StatementMappingInvalid,
    StatementMixedDays,
    StatementOtherCurrency,
    StatementOtherDay,
    StatementOtherMerchant,
    StatementRefused,
    StatementRowMalformed,
)
from reconciliation.parsers.contract import Told

BEIJING: Final = timezone(timedelta(hours=8))
_LONGEST_ID: Final = 64
_LONGEST_TEXT: Final = 200
_LONGEST_SEEN: Final = 1000
_LONGEST_AMOUNT: Final = 16
_MOST_MOMENTS: Final = 100_000  # a day has fewer seconds
# Far enough from the ends of the calendar for any change of zone.
_EARLIEST, _LATEST = 1990, 2200
_HIDDEN: Final = "[card number]"
# Not inside a longer number or a fraction. Right behind a Latin letter stand other numbers, too
# ("EC364465348520261109"): there only the lengths of most cards count.
_CARD_LIKE: Final = re.compile(
    r"(?<![A-Za-z\d])(?<!\d\.)\d(?:[ -]?\d){12,18}(?!\d)(?!\.\d)|(?<=[A-Za-z])\d{15,16}(?!\d)(?!\.\d)"
)
# What may be a card number, and spaces of other kinds.
_TO_BE_CUT: Final = re.compile(r"\d[\d -]{12}|[^\S \n]")
_SPACES: Final = re.compile(r"\s+")


class Unreadable(ValueError):
    """A cell that is not what its column holds."""

    def __init__(self, cell: str, expected: str) -> None:
        super().__init__(f"{hidden(cell)[:40]!r} is not {expected}")
        self.cell = cell


def decimal(text: str, digits: int) -> int:
    """`decimal("-12.30", 2)` → -1230. Exactly so many digits behind the point, and nothing else.

    Not cached: a day has so many different amounts that keeping them takes longer than reading them.
    """
    whole, _, rest = text.partition(".")
    both = whole + rest
    if len(rest) == digits and both.isdecimal() and both.isascii() and digits < len(both) <= _LONGEST_AMOUNT:
        return int(both)
    if text[:1] == "-" and text[1:2].isdecimal():
        return -decimal(text[1:], digits)
    plain = text.strip()
    if plain != text:
        return decimal(plain, digits)
    raise Unreadable(text, f"an amount with {digits} decimals")


def loose_decimal(text: str, digits: int) -> int:
    """The same for writers that leave out zeros or write a plus: "12", "+12.5"; an empty cell is nothing."""
    try:
        return decimal(text, digits)
    except Unreadable:
        whole, _, rest = (text.strip().removeprefix("+") or "0").partition(".")
    if len(rest) > digits and rest[digits:].strip("0") == "":
        rest = rest[:digits]
    return decimal(f"{whole}.{rest.ljust(digits, '0')}" if digits else f"{whole}.{rest}", digits)


def count(text: str) -> int:
    """`"20"`, and `"20.0"` as some bills write it."""
    whole = text.strip().removesuffix(".0")
    if not (whole.isascii() and whole.isdecimal()) or len(whole) > _LONGEST_AMOUNT:
        raise Unreadable(text, "a count")
    return int(whole)


def moment(text: str, zone: tzinfo) -> datetime:
    """`"2026-11-20 10:11:12"`, and nothing else."""
    plain = text.strip()
    try:
        if len(plain) != 19 or plain[10] != " ":
            raise Unreadable(text, "a time like 2026-11-20 10:11:12")
        return datetime.fromisoformat(plain).replace(tzinfo=zone)
    except ValueError as problem:
        raise Unreadable(text, "a time like 2026-11-20 10:11:12") from problem


def _at_offset(text: str, offset: str) -> datetime:
    """`moment` for what has its form: to read the offset with it takes a sixth of the time that adding it does."""
    try:
        return datetime.fromisoformat(text + offset)
    except ValueError as problem:
        raise Unreadable(text, "a time like 2026-11-20 10:11:12") from problem


def zoned_moment(text: str, zone: tzinfo | None = None) -> datetime:
    """`"2026-11-20T10:11:12+08:00"`: a time that says its zone, or is in this one."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as problem:
        raise Unreadable(text, "a time like 2026-11-20T10:11:12+08:00") from problem
    if (found.tzinfo is None and zone is None) or not _EARLIEST <= found.year <= _LATEST:
        raise Unreadable(text, "a time that says its zone")
    return found if found.tzinfo else found.replace(tzinfo=zone)


def day_of(text: str, written: str) -> date:
    """A date as `written` (strptime's form) has it."""
    try:
        found = datetime.strptime(text.strip(), written).date()  # noqa: DTZ007 - a date has no zone
    except ValueError as problem:
        raise Unreadable(text, f"a date like {written}") from problem
    if not _EARLIEST <= found.year <= _LATEST:
        raise Unreadable(text, "a date of our time")
    return found


def zone_of(told: Told) -> ZoneInfo:
    """The zone of the bank's days. Raises `StatementMappingInvalid`."""
    try:
        return ZoneInfo(told.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise StatementMappingInvalid(
            f"There is no time zone {told.time_zone[:40]!r}: use a name like Europe/Paris."
        ) from problem


def identifier(text: str) -> str:
    """An identifier of theirs or ours, without the tab that some writers put behind it."""
    found = text.strip()
    if len(found) > _LONGEST_ID or not found.isascii():
        raise Unreadable(text, "an identifier")
    return found


def identifiers(first: str, second: str) -> tuple[str, str]:
    """Two at once, as a million rows a day have two."""
    both = first + second
    if len(both) <= _LONGEST_ID and both.isascii() and both.isprintable():
        return first, second
    return identifier(first), identifier(second)


def cut(text: str) -> str:
    """Free text, on one line and without card numbers."""
    return _cut(text[:_LONGEST_SEEN])


def all_cut(texts: Sequence[str]) -> Sequence[str]:
    """The same of many, none of which has a line's end in it. Most are so already, and that is seen in all at once."""
    text = "\n".join(texts)
    is_spaced = "  " in text or "\n " in text or " \n" in text or text != text.strip(" ")
    if is_spaced or _TO_BE_CUT.search(text) or (texts and max(map(len, texts)) > _LONGEST_TEXT):
        return [cut(one) for one in texts]
    return texts


@lru_cache(maxsize=1 << 14)
def _cut(text: str) -> str:
    return _SPACES.sub(" ", hidden(text)).strip()[:_LONGEST_TEXT]


def hidden(text: str) -> str:
    """`text` without card numbers: no statement may bring them into our tables."""
    return _CARD_LIKE.sub(_hide, text)


def _hide(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match[0])
    # UnionPay's cards may carry no right check digit.
    return _HIDDEN if digits.startswith("62") or _passes_luhn(digits) else match[0]


def _passes_luhn(digits: str) -> bool:
    total = 0
    for place, character in enumerate(reversed(digits)):
        value = int(character) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def malformed(
    problem: ValueError, *, line: int, header: Sequence[str], cells: Sequence[str]
) -> StatementRefused:
    """The refusal that names the line, and the column in which the unreadable cell stands."""
    cell = getattr(problem, "cell", None)
    column = next((name for name, value in zip(header, cells, strict=False) if value == cell), "")
    where = f"Line {line}, column {column!r}" if column else f"Line {line}"
    return StatementRowMalformed(
        f"{where}: {problem}. Fetch the file again; if it stays so, show it to its writer.",
        line=line,
        column=column,
    )


def wrong_width(found: int, wanted: int, *, line: int) -> StatementRefused:
    return StatementRowMalformed(
        f"Line {line} has {found} columns, the header {wanted}: fetch the file again.", line=line
    )


class Days:
    """The days of a file's rows. Each is compared once."""

    def __init__(self, told: Told, zone: timezone = UTC) -> None:
        self._told = told
        self._zone = zone
        self._offset = datetime.min.replace(tzinfo=zone).isoformat()[19:]
        self._days: set[date] = set()
        self._known_days: set[str] = set()  # as they are written
        self._moments: dict[str, datetime] = {}

    def moment(self, text: str, line: int) -> datetime:
        """The moment that a row says. Refuses a row of a day that the file is not about."""
        known = self._moments.get(text)
        if known is not None:
            return known
        if len(text) == 19 and text[10] == " ":
            happened_at = _at_offset(text, self._offset)
        else:
            happened_at = moment(text, self._zone)
        if text[:10] not in self._known_days:
            self.require(happened_at.date(), line)
            self._known_days.add(text[:10])
        if len(self._moments) >= _MOST_MOMENTS:
            self._moments.clear()
        self._moments[text] = happened_at
        return happened_at

    def require(self, day: date, line: int) -> None:
        """Refuses a row of a day that the file is not about."""
        if day not in self._days:
            require_day(self._told, day, line=line, first=not self._days)
            self._days.add(day)


def require_day(told: Told, day: date, *, line: int, first: bool) -> None:
    """Refuses a row of a day that the file is not about."""
    if told.covers(day):
        return
    span = f"{told.day}" if told.day == told.last else f"{told.day} to {told.last}"
    if first:
        raise StatementOtherDay(
            f"Line {line} is of {day}, and this was to be the statement of {span}: import it for that.",
            line=line,
        )
    raise StatementMixedDays(
        f"Line {line} is of {day}, the lines before it of {span}: ask for one file per day.", line=line
    )


def require_merchant(told: Told, merchant: str, *, line: int) -> None:
    if told.merchant and merchant != told.merchant:
        raise StatementOtherMerchant(
            f"Line {line} is about the account {hidden(merchant)[:40]!r}, not {told.merchant!r}: check which account "
            "the file was fetched from.",
            line=line,
        )


def require_currency(told: Told, currency: str, *, line: int) -> None:
    if told.currency and currency != told.currency:
        raise StatementOtherCurrency(
            f"Line {line} is in {currency[:8]!r}, and this was to be a statement in {told.currency}.",
            line=line,
        )
