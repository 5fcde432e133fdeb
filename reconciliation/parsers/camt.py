"""ISO 20022: camt.053 for whole days, camt.052 during the day. Pure.

Balances and the summary of a statement are optional there; where they are, the entries must come to them. An entry
that books several transfers at once stays one line: it is what the bank booked.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, tzinfo
from typing import BinaryIO, Final
from xml.etree.ElementTree import Element

from ledger.money import exponent
from reconciliation.errors import StatementDamaged, StatementTotalsDiffer
from reconciliation.parsers.archives import single
from reconciliation.parsers.contract import Told
from reconciliation.parsers.fields import (
    Days,
    Unreadable,
    count,
    cut,
    day_of,
    identifier,
    loose_decimal,
    malformed,
    require_currency,
    require_merchant,
    zone_of,
    zoned_moment,
)
from reconciliation.parsers.xml_records import records
from reconciliation.rows import Line, LineKind, LineState

_PARENTS: Final = ("Stmt", "Rpt")
_SIGNS: Final = {"CRDT": 1, "DBIT": -1}
_STATES: Final = {"BOOK": LineState.SUCCESS, "PDNG": LineState.PROCESSING}
_OPENING, _CLOSING = ("OPBD", "PRCD"), ("CLBD",)
# What a total of the summary counts: what came, what went.
_SIDES: Final = {"TtlNtries": (1, -1), "TtlCdtNtries": (1,), "TtlDbtNtries": (-1,)}
_NAMELESS: Final = ("NOTPROVIDED", "NONREF")


@dataclass(slots=True)
class _Statement:
    """What one statement of the file says of itself, and what its entries came to, by currency and direction."""

    balances: dict[tuple[str, str], int] = field(default_factory=dict)
    summary: dict[str, str] = field(default_factory=dict)
    counts: Counter[int] = field(default_factory=Counter)
    sums: Counter[tuple[str, int]] = field(default_factory=Counter)
    is_named: bool = False

    def add(self, line: Line) -> None:
        if line.state == LineState.SUCCESS:
            side = 1 if line.amount > 0 else -1
            self.counts[side] += 1
            self.sums[line.currency, side] += line.amount

    def balance(self, codes: Sequence[str], currency: str) -> int | None:
        return next(
            (self.balances[code, currency] for code in codes if (code, currency) in self.balances), None
        )


def read(stream: BinaryIO, told: Told) -> Iterator[Line]:
    statement, statements = _Statement(), 0
    days, zone = Days(told), zone_of(told)
    for number, record in records(single(stream), _PARENTS):
        try:
            line = _entry(record, number, told, zone) if record.tag == "Ntry" else None
            _note(record, number, statement, told)
        except ValueError as problem:
            raise malformed(problem, line=number, header=(), cells=()) from problem
        if record.tag in _PARENTS:
            statement, statements = _Statement(), statements + 1
        if line is not None:
            days.require(line.happened_at.date(), number)
            statement.add(line)
            yield line
    if not statements:
        raise StatementDamaged(
            "The file holds no statement and no report of an account: it is another kind of XML."
        )


def _note(record: Element, number: int, statement: _Statement, told: Told) -> None:
    match record.tag:
        case "Acct":
            account = _text(record, "Id/IBAN") or _text(record, "Id/Othr/Id")
            require_merchant(told, account.replace(" ", ""), line=number)
            statement.is_named = True
            require_currency(told, _text(record, "Ccy") or told.currency, line=number)
        case "Bal":
            _note_balance(record, statement)
        case "TxsSummry":
            _note_summary(record, statement)
        case "Stmt" | "Rpt":
            if not statement.is_named:
                require_merchant(told, "", line=number)
            _check_totals(statement, number, is_whole_day=record.tag == "Stmt")


def _note_balance(record: Element, statement: _Statement) -> None:
    code = _text(record, "Tp/CdOrPrtry/Cd")
    if code in (*_OPENING, *_CLOSING):
        balance, currency = _money(record)
        statement.balances[code, currency] = balance


def _note_summary(record: Element, statement: _Statement) -> None:
    for name in _SIDES:
        for value in ("NbOfNtries", "Sum"):
            if text := _text(record, f"{name}/{value}"):
                statement.summary[f"{name}/{value}"] = text


def _check_totals(statement: _Statement, number: int, *, is_whole_day: bool) -> None:
    for currency in {currency for _, currency in statement.balances}:
        opening, closing = statement.balance(_OPENING, currency), statement.balance(_CLOSING, currency)
        if opening is not None and closing is not None:
            found = opening + statement.sums[currency, 1] + statement.sums[currency, -1]
            if found != closing:
                raise _differs("The closing balance", closing, found, number)
        elif is_whole_day:
            raise StatementTotalsDiffer(
                f"The statement that ends in line {number} has only one of its two balances: fetch the file again.",
                line=number,
            )
    _check_summary(statement, number)


def _check_summary(statement: _Statement, number: int) -> None:
    currencies = {currency for currency, _ in statement.sums}
    for name, text in statement.summary.items():
        total, _, value = name.partition("/")
        sides = _SIDES[total]
        if value == "NbOfNtries":
            said, found = count(text), sum(statement.counts[side] for side in sides)
        elif len(currencies) == 1:  # sums of several currencies say nothing
            [currency] = currencies
            said = loose_decimal(text, exponent(currency))
            found = sum(abs(statement.sums[currency, side]) for side in sides)
        else:
            continue
        if said != found:
            raise _differs(name, said, found, number)


def _differs(what: str, said: int, found: int, number: int) -> StatementTotalsDiffer:
    return StatementTotalsDiffer(
        f"{what} of the statement that ends in line {number} is {said}, the entries come to {found} (minor units): "
        "fetch the file again.",
        line=number,
    )


def _entry(entry: Element, number: int, told: Told, zone: tzinfo) -> Line | None:
    amount, currency = _money(entry)
    state = _STATES.get(_text(entry, "Sts/Cd") or _text(entry, "Sts"))
    if state is None:  # for information only
        return None
    require_currency(told, currency, line=number)
    details = entry.findall("NtryDtls/TxDtls")
    alone = details[0] if len(details) == 1 else None
    reference = _text(alone, "Refs/EndToEndId")
    return Line(
        number=number,
        kind=(LineKind.CREDIT if amount > 0 else LineKind.DEBIT).value,
        reference="" if reference in _NAMELESS else identifier(reference),
        parent="",
        their_reference=identifier(_text(entry, "AcctSvcrRef") or _text(entry, "NtryRef")),
        group=identifier(_text(entry, "NtryDtls/Btch/PmtInfId") or _text(entry, "NtryDtls/Btch/MsgId")),
        amount=amount,
        fee=0,
        currency=currency,
        happened_at=_booked_at(entry, zone),
        state=state.value,
        text=cut(" ".join(_texts(entry, amount))),
    )


def _money(record: Element) -> tuple[int, str]:
    """Signed by its direction. A reversal's direction is its own."""
    amount = record.find("Amt")
    sign = _SIGNS.get(_text(record, "CdtDbtInd"))
    if amount is None or sign is None:
        raise Unreadable("", "an entry with an amount and a direction")
    currency = amount.get("Ccy", "")
    minor = loose_decimal(amount.text or "missing", exponent(currency))
    if minor < 0:
        raise Unreadable(amount.text or "", "an amount without a sign")
    return sign * minor, currency


def _booked_at(entry: Element, zone: tzinfo) -> datetime:
    for place in ("BookgDt", "ValDt"):
        if text := _text(entry, f"{place}/DtTm"):
            return zoned_moment(text, zone)
        if text := _text(entry, f"{place}/Dt"):
            return datetime.combine(day_of(text[:10], "%Y-%m-%d"), time(), zone)
    raise Unreadable("", "an entry with a booking date")


def _texts(entry: Element, amount: int) -> Iterator[str]:
    """Who is on the other side, then what they wrote: a long text comes in pieces, which may cut a reference in two."""
    party = "Dbtr" if amount > 0 else "Cdtr"
    for details in entry.iterfind("NtryDtls/TxDtls"):
        parties = details.find("RltdPties")
        yield _text(parties, f"{party}/Pty/Nm") or _text(parties, f"{party}/Nm")
        yield "".join((piece.text or "") for piece in details.iterfind("RmtInf/Ustrd"))
        yield from ((piece.text or "") for piece in details.iterfind("RmtInf/Strd/CdtrRefInf/Ref"))
    yield _text(entry, "AddtlNtryInf")


def _text(inside: Element | None, path: str) -> str:
    return (inside.findtext(path) or "").strip() if inside is not None else ""
