"""SWIFT's MT940: fields between colons, an opening and a closing balance around the entries of each page. Pure.

What this reads more strictly than a library would, and why, is in docs/decisions/mt940.md.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, tzinfo
from typing import BinaryIO, Final

from ledger.money import exponent
from reconciliation.errors import StatementDamaged, StatementTotalsDiffer, StatementTruncated
from reconciliation.parsers.archives import single
from reconciliation.parsers.contract import Told
from reconciliation.parsers.fields import (
    Days,
    Unreadable,
    cut,
    day_of,
    identifier,
    loose_decimal,
    malformed,
    require_currency,
    require_merchant,
    zone_of,
)
from reconciliation.parsers.texts import lines_of
from reconciliation.rows import Line, LineKind, LineState

_FIELD: Final = re.compile(r":(NS|\d{2}[A-Z]?):(.*)", re.DOTALL)
_BALANCE: Final = re.compile(r"([CD])(\d{6})([A-Z]{3})(\d{1,15},\d{0,3})")
_ENTRY: Final = re.compile(
    r"(?P<date>\d{6})(?P<entry>\d{4})?(?P<mark>R?[CD])(?P<funds>[A-Z])?(?P<amount>\d{1,15},\d{0,3})"
    r"(?P<type>[A-Z][A-Z0-9]{3})(?P<ours>[^\n]*?)(?://(?P<theirs>[^\n]*))?(?:\n(?P<more>.*))?",
    re.DOTALL,
)
# A reversal of a credit takes away, one of a debit brings back.
_SIGNS: Final = {"C": 1, "RD": 1, "D": -1, "RC": -1}
_NAMELESS: Final = ("NONREF", "NOTPROVIDED", "")
# Where in the free text the end-to-end reference stands: in German subfields, or between slashes.
_END_TO_END: Final = re.compile(r"(?:EREF\+|/EREF/)\s*([^/+]*?)(?=\s*(?:[A-Z]{4}\+|/|$))")
# Subfields 20 to 29 and 60 to 63 are pieces of one text, which may be cut anywhere; others stand for themselves.
_PIECE: Final = re.compile(r"(?<=.)\?(?:2[1-9]|6[0-3])")
_SUBFIELD: Final = re.compile(r"\?\d{2}")
# The envelope of a message, around its fields.
_BREAK: Final = re.compile(r"-|-\}.*|\{\d:.*")
_MOST_LINES: Final = 200


def read(stream: BinaryIO, told: Told) -> Iterator[Line]:
    pages = _Pages(told)
    for number, tag, value in _fields(lines_of(single(stream), "latin-1")):
        try:
            line = pages.take(number, tag, value)
        except ValueError as problem:
            raise malformed(problem, line=number, header=(f":{tag}:",), cells=(value,)) from problem
        if line is not None:
            yield line
    if (last := pages.finish()) is not None:
        yield last


class _Pages:
    """An entry is given out when the field after it was seen: its text follows it."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._days, self._zone = Days(told), zone_of(told)
        self._currency = ""
        self._balance = 0
        self._account = ""
        self._closed: dict[tuple[str, str], int] = {}
        self._is_open = False
        self._entry: Line | None = None
        self._number = 0

    def take(self, number: int, tag: str, value: str) -> Line | None:
        self._number = number
        if tag == "86":
            if self._entry is not None:
                self._entry = _described(self._entry, value)
            return None
        done, self._entry = self._entry, None
        match tag[:2]:
            case "20":
                self._require_closed(number)
                self._account = ""
            case "25":
                self._check_account(value, number)
            case "60":
                self._open(value, number)
            case "61":
                self._entry = self._read_entry(value, number)
            case "62":
                self._close(value, number)
        return done

    def finish(self) -> Line | None:
        self._require_closed(self._number)
        if not self._closed:
            raise StatementDamaged("The file has no closing balance (:62F:): it is no MT940 statement.")
        return self._entry

    def _require_closed(self, number: int) -> None:
        if self._is_open:
            raise StatementTruncated(
                f"The statement that ends before line {number} has no closing balance (:62F:): it is cut off.",
                line=number,
            )

    def _check_account(self, value: str, number: int) -> None:
        """The bank's own code may stand before it, its currency behind it."""
        account = re.sub(r"\s", "", value)
        names = (account, account.rpartition("/")[2], re.sub(r"[A-Z]{3}$", "", account))
        require_merchant(
            self._told, next((one for one in names if one == self._told.merchant), account), line=number
        )
        self._account = account

    def _open(self, value: str, number: int) -> None:
        self._require_closed(number)
        if not self._account:
            require_merchant(self._told, "", line=number)
        self._balance, self._currency = _balance(value)
        if self._closed.get((self._account, self._currency), self._balance) != self._balance:
            raise StatementTotalsDiffer(
                f"Line {number}: the opening balance is not the closing one of the page before. A page is missing, "
                "doubled or out of order: fetch the file again.",
                line=number,
            )
        require_currency(self._told, self._currency, line=number)
        self._is_open = True

    def _close(self, value: str, number: int) -> None:
        balance, currency = _balance(value)
        if not self._is_open or (balance, currency) != (self._balance, self._currency):
            raise StatementTotalsDiffer(
                f"Line {number}: the closing balance is {balance} {currency}, the entries come to {self._balance} "
                f"{self._currency or 'without an opening balance'} (minor units): fetch the file again.",
                line=number,
            )
        self._is_open = False
        self._closed[self._account, self._currency] = balance

    def _read_entry(self, value: str, number: int) -> Line:
        found = _ENTRY.fullmatch(value)
        if found is None or not self._is_open:
            raise Unreadable(value, "an entry between two balances")
        amount = _SIGNS[found["mark"]] * _minor(found["amount"], self._currency)
        booked_on = _booked_on(found["date"], found["entry"] or "")
        self._days.require(booked_on, number)
        self._balance += amount
        ours, theirs = found["ours"].strip(), (found["theirs"] or "").strip()
        return Line(
            number=number,
            kind=(LineKind.CREDIT if amount > 0 else LineKind.DEBIT).value,
            reference="" if ours in _NAMELESS else identifier(ours),
            parent="",
            their_reference="" if theirs in _NAMELESS else identifier(theirs),
            group="",
            amount=amount,
            fee=0,
            currency=self._currency,
            happened_at=_midnight(booked_on, self._zone),
            state=LineState.SUCCESS.value,
            text=cut(found["more"] or ""),
        )


def _fields(lines: Iterator[str]) -> Iterator[tuple[int, str, str]]:
    """The line, the tag and the value of every field; a value may go on over several lines."""
    begun, tag, parts = 0, "", list[str]()
    for number, raw in enumerate(lines, 1):
        line = _as_written(raw)
        if match := _FIELD.fullmatch(line):
            if tag:
                yield begun, tag, "\n".join(parts)
            begun, tag, parts = number, match[1], [match[2]]
        elif _BREAK.fullmatch(line) or not line.strip():
            if tag:
                yield begun, tag, "\n".join(parts)
            tag, parts = "", []
        elif not tag or len(parts) == _MOST_LINES:
            raise StatementDamaged(f"Line {number} belongs to no field: fetch the file again.", line=number)
        else:
            parts.append(line)
    if tag:
        yield begun, tag, "\n".join(parts)


def _as_written(line: str) -> str:
    """Banks write Latin-1 or UTF-8, and the file does not say which."""
    try:
        return line if line.isascii() else line.encode("latin-1").decode("utf-8-sig")
    except UnicodeDecodeError:
        return line


def _described(entry: Line, value: str) -> Line:
    text = _SUBFIELD.sub(" ", _PIECE.sub("", value.replace("\n", ""))) if "?" in value else value
    named = _END_TO_END.search(text)
    reference = named[1].strip() if named else ""
    if reference not in _NAMELESS:
        entry = entry._replace(reference=identifier(reference))
    return entry._replace(text=cut(f"{entry.text} {text}"))


def _balance(value: str) -> tuple[int, str]:
    found = _BALANCE.fullmatch(value.strip())
    if found is None:
        raise Unreadable(value, "a balance")
    return (1 if found[1] == "C" else -1) * _minor(found[4], found[3]), found[3]


def _minor(text: str, currency: str) -> int:
    return loose_decimal(text.replace(",", "."), exponent(currency))


def _booked_on(value_date: str, entry_date: str) -> date:
    """The entry's own date has no year: it is the one nearest to the value date."""
    value = day_of(value_date, "%y%m%d")
    if not entry_date:
        return value
    years = (value.year - 1, value.year, value.year + 1)
    dates = [found for year in years if (found := _date(year, entry_date)) is not None]
    if not dates:
        raise Unreadable(entry_date, "a date (MMDD)")
    return min(dates, key=lambda one: abs(one - value))


def _date(year: int, text: str) -> date | None:
    try:
        return date(year, int(text[:2]), int(text[2:]))
    except ValueError:
        return None


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone)
