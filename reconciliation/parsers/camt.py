"""ISO 20022: camt.053 for whole days, camt.052 during the day. Pure.

Balances and the summary of a statement are optional there; where they are, the entries must come to them. An entry
that books several transfers at once stays one line: it is what the bank booked.
"""

from collections.abc import Iterator
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
_NAMELESS: Final = ("NOTPROVIDED", "NONREF")


@dataclass(slots=True)
class _Statement:
    """What one statement of the file says of itself, and what its entries came to."""

    balances: dict[str, int] = field(default_factory=dict)
    summary: dict[str, str] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=lambda: {1: 0, -1: 0})
    sums: dict[int, int] = field(default_factory=lambda: {1: 0, -1: 0})
    digits: int = 2
    is_named: bool = False

    def add(self, line: Line) -> None:
        if line.state == LineState.SUCCESS:
            side = 1 if line.amount > 0 else -1
            self.counts[side] += 1
            self.sums[side] += line.amount
            self.digits = exponent(line.currency)


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
        statement.balances[code] = _money(record)[0]


def _note_summary(record: Element, statement: _Statement) -> None:
    for name in ("TtlNtries", "TtlCdtNtries", "TtlDbtNtries"):
        for value in ("NbOfNtries", "Sum"):
            if text := _text(record, f"{name}/{value}"):
                statement.summary[f"{name}/{value}"] = text


def _check_totals(statement: _Statement, number: int, *, is_whole_day: bool) -> None:
    earned, spent = statement.sums[1], -statement.sums[-1]
    opening = next((statement.balances[code] for code in _OPENING if code in statement.balances), None)
    closing = next((statement.balances[code] for code in _CLOSING if code in statement.balances), None)
    if is_whole_day and (opening is None) is not (closing is None):
        raise StatementTotalsDiffer(
            f"The statement that ends in line {number} has only one of its two balances: fetch the file again.",
            line=number,
        )
    if opening is not None and closing is not None and opening + earned - spent != closing:
        raise _differs("The closing balance", closing, opening + earned - spent, number)
    counts = {"TtlNtries": sum(statement.counts.values()), "TtlCdtNtries": statement.counts[1]}
    counts["TtlDbtNtries"] = statement.counts[-1]
    sums = {"TtlNtries": earned + spent, "TtlCdtNtries": earned, "TtlDbtNtries": spent}
    for name, text in statement.summary.items():
        total, _, value = name.partition("/")
        found = counts[total] if value == "NbOfNtries" else sums[total]
        said = count(text) if value == "NbOfNtries" else loose_decimal(text, statement.digits)
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
