"""A bank's CSV, read as a saved mapping says: no two banks write the same columns. Pure."""

import codecs
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, time, tzinfo
from itertools import islice
from typing import BinaryIO, Final

from ledger.money import UnknownCurrency, exponent
from reconciliation.errors import StatementMappingInvalid
from reconciliation.parsers.archives import single
from reconciliation.parsers.chain import Chain
from reconciliation.parsers.contract import Mapping, Told
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
    wrong_width,
    zone_of,
)
from reconciliation.parsers.texts import Table, lines_of, normalised, positions
from reconciliation.rows import Line, LineKind, LineState

# Their line ends are single bytes, as lines are cut before they are decoded.
_WIDE: Final = ("utf-16", "utf-32", "utf-7")
_MOST_SKIPPED: Final = 1000


def read(stream: BinaryIO, told: Told) -> Iterator[Line]:
    mapping = _usable(told.mapping)
    lines = lines_of(single(stream), mapping.encoding)
    skipped = sum(1 for _ in islice(lines, mapping.skip_lines))
    table = Table(lines, delimiter=mapping.delimiter)
    rows = table.rows()
    header = [normalised(name) for name in next(rows, [])]
    columns = _Columns(mapping, header, told, line=skipped + 1)
    days, chains = Days(told), defaultdict[str, Chain](Chain)
    for cells in rows:
        number = skipped + table.number
        if not any(cells):
            continue
        if len(cells) != len(header):
            raise wrong_width(len(cells), len(header), line=number)
        try:
            line = columns.line(number, cells)
            if mapping.balance:
                chains[line.currency].add(line.amount, columns.balance(cells), line=number)
        except ValueError as problem:
            raise malformed(problem, line=number, header=header, cells=cells) from problem
        days.require(line.happened_at.date(), number)
        yield line


def _usable(mapping: Mapping | None) -> Mapping:
    if mapping is None:
        raise StatementMappingInvalid(
            "A bank's CSV needs a mapping: save which of its columns say what, first."
        )
    problem = ""
    ways = [bool(mapping.amount), bool(mapping.credit and mapping.debit)]
    if ways.count(True) != 1 or (mapping.direction and not mapping.amount):
        problem = "name either the column of the amount, or those of credit and debit"
    elif len(mapping.delimiter) != 1 or mapping.delimiter in '"\r\n\0 ':
        problem = "the delimiter is one character"
    elif not mapping.date or "%" not in mapping.date_format:
        problem = "name the column of the date, and how it is written (%d.%m.%Y)"
    elif not 0 <= mapping.skip_lines <= _MOST_SKIPPED:
        problem = f"at most {_MOST_SKIPPED} lines before the header"
    elif not _is_encoding(mapping.encoding):
        problem = "the encoding is not known, or not one of single bytes or UTF-8"
    if problem:
        raise StatementMappingInvalid(f"The mapping of this bank's columns can not be used: {problem}.")
    return mapping


def _is_encoding(name: str) -> bool:
    try:
        info = codecs.lookup(name)
        return not info.name.startswith(_WIDE) and "a\n,".encode(name) == b"a\n,"
    except (LookupError, ValueError, TypeError):
        return False


class _Columns:
    """Where the mapped columns are in this file."""

    def __init__(self, mapping: Mapping, header: list[str], told: Told, *, line: int) -> None:
        self._mapping, self._told, self._zone = mapping, told, zone_of(told)
        names = {
            name: normalised(column)
            for name, column in (
                ("date", mapping.date),
                ("amount", mapping.amount),
                ("direction", mapping.direction),
                ("credit", mapping.credit),
                ("debit", mapping.debit),
                ("currency", mapping.currency),
                ("account", mapping.account),
                ("reference", mapping.reference),
                ("their_reference", mapping.their_reference),
                ("batch", mapping.batch),
                ("balance", mapping.balance),
            )
            if column
        }
        places = positions(header, list(names.values()), line=line)
        self._places = dict(zip(names, places, strict=True))
        self._texts = positions(header, [normalised(name) for name in mapping.text], line=line)

    def line(self, number: int, cells: list[str]) -> Line:
        currency = self._cell(cells, "currency").upper() or self._told.currency
        require_currency(self._told, currency, line=number)
        if "account" in self._places:
            require_merchant(self._told, self._cell(cells, "account").replace(" ", ""), line=number)
        amount = self._amount(cells, currency)
        return Line(
            number=number,
            kind=(LineKind.CREDIT if amount > 0 else LineKind.DEBIT).value,
            reference=identifier(self._cell(cells, "reference")),
            parent="",
            their_reference=identifier(self._cell(cells, "their_reference")),
            group=identifier(self._cell(cells, "batch")),
            amount=amount,
            fee=0,
            currency=currency,
            happened_at=_midnight(self._cell(cells, "date"), self._mapping.date_format, self._zone),
            state=LineState.SUCCESS.value,
            text=cut(" ".join(cells[place] for place in self._texts)),
        )

    def balance(self, cells: list[str]) -> int:
        currency = self._cell(cells, "currency").upper() or self._told.currency
        return self._minor(self._cell(cells, "balance"), currency)

    def _amount(self, cells: list[str], currency: str) -> int:
        if self._mapping.credit:
            earned = abs(self._minor(self._cell(cells, "credit"), currency))
            spent = abs(self._minor(self._cell(cells, "debit"), currency))
            if earned and spent:
                raise Unreadable(self._cell(cells, "debit"), "the only amount of the row")
            return earned - spent
        amount = self._minor(self._cell(cells, "amount") or "missing", currency)
        if self._mapping.direction:
            words = {word.casefold() for word in self._mapping.debit_words}
            return -abs(amount) if self._cell(cells, "direction").casefold() in words else abs(amount)
        return amount

    def _minor(self, text: str, currency: str) -> int:
        try:
            digits = exponent(currency)
        except UnknownCurrency as problem:
            raise Unreadable(currency, "a currency") from problem
        thousands, point = (".", ",") if self._mapping.decimal_comma else (",", ".")
        whole, mark, rest = text.replace("\u00a0", "").replace("'", "").partition(point)
        if not _is_grouped(whole, thousands):
            raise Unreadable(text, f"an amount with {point!r} before its decimals")
        return loose_decimal(whole.replace(thousands, "") + ("." if mark else "") + rest, digits)

    def _cell(self, cells: list[str], name: str) -> str:
        return cells[self._places[name]].strip() if name in self._places else ""


def _is_grouped(whole: str, thousands: str) -> bool:
    """Whether the separators stand before groups of three: "1.23" with a decimal comma is a mistake, not 123."""
    return all(len(group) == 3 for group in whole.split(thousands)[1:])


def _midnight(text: str, written: str, zone: tzinfo) -> datetime:
    return datetime.combine(day_of(text, written), time(), zone)
