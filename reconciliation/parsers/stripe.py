"""Stripe's finance reports: CSV in major units and UTC. They carry no totals, but each row must add up. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, timedelta
from operator import itemgetter
from types import MappingProxyType
from typing import BinaryIO, Final, NamedTuple

from ledger.money import exponent
from reconciliation.errors import StatementTotalsDiffer
from reconciliation.parsers.archives import single
from reconciliation.parsers.contract import Format, Told
from reconciliation.parsers.fields import (
    Days,
    Unreadable,
    cut,
    identifier,
    loose_decimal,
    malformed,
    moment,
    require_currency,
    require_day,
    wrong_width,
)
from reconciliation.parsers.texts import Table, lines_of, normalised, positions
from reconciliation.rows import Line, LineKind, LineState

CHANNEL: Final = "stripe"
# The second names are those of the export in Stripe's console.
_MONEY: Final = ("currency|Currency", "gross|Amount", "fee|Fee", "net|Net", "reporting_category|Type")
_MOVEMENT: Final = (
    *("balance_transaction_id|ID", "source_id|Source", "description|Description?", "payment_intent_id?"),
    *("payment_metadata[reference]?", "refund_metadata[reference]?", "automatic_payout_id?"),
    *("created_utc|created|Created(UTC)", "automatic_payout_effective_at_utc|automatic_payout_effective_at?"),
)
_PAYOUT: Final = ("payout_id", "effective_at_utc|effective_at", "payout_status?", "description?")
_KINDS: Final[Mapping[str, LineKind]] = MappingProxyType(
    {
        "charge": LineKind.PAYMENT,
        "payment": LineKind.PAYMENT,
        "refund": LineKind.REFUND,
        "payment_refund": LineKind.REFUND,
        "partial_capture_reversal": LineKind.REFUND,
        "refund_failure": LineKind.REFUND_RETURNED,
        "payment_failure_refund": LineKind.REFUND_RETURNED,
        "dispute": LineKind.DISPUTE,
        "dispute_reversal": LineKind.DISPUTE_WON,
        "fee": LineKind.FEE,
        "stripe_fee": LineKind.FEE,
        "network_cost": LineKind.FEE,
        "tax": LineKind.FEE,
        "payout": LineKind.PAYOUT,
        "payout_reversal": LineKind.PAYOUT,
        "payout_failure": LineKind.PAYOUT,
        "payout_cancel": LineKind.PAYOUT,
    }
)
_STATES: Final[Mapping[str, LineState]] = MappingProxyType(
    {
        "": LineState.SUCCESS,
        "paid": LineState.SUCCESS,
        "failed": LineState.FAILED,
        "canceled": LineState.FAILED,
    }
)
_THOUSANDTHS: Final = 1000
# A payout that leaves on a day arrives some days later, and that is the day which its row names.
_TRAVELS: Final = timedelta(days=14)


class _Money(NamedTuple):
    currency: str
    gross: int
    fee: int
    kind: LineKind


def _rows(
    stream: BinaryIO, columns: Sequence[str]
) -> Iterator[tuple[int, list[str], list[str], Sequence[str]]]:
    """Number, header, cells, and of those the columns of money and the others asked for."""
    table = Table(lines_of(single(stream), "utf-8", ended=True))
    rows = table.rows()
    header = [normalised(name) for name in next(rows, [])]
    pick = itemgetter(*positions(header, (*_MONEY, *columns), line=1))
    for cells in rows:
        if not cells:
            continue
        if len(cells) != len(header):
            raise wrong_width(len(cells), len(header), line=table.number)
        yield table.number, header, cells, pick([*cells, ""])


def _read_movements(stream: BinaryIO, told: Told) -> Iterator[Line]:
    days = Days(told, UTC)
    for number, header, cells, picked in _rows(stream, _MOVEMENT):
        try:
            happened_at = days.moment(picked[-2], number)
            yield _movement(number, picked, told)._replace(happened_at=happened_at)
        except ValueError as problem:
            raise malformed(problem, line=number, header=header, cells=cells) from problem


def _read_paid_out(stream: BinaryIO, told: Told) -> Iterator[Line]:
    """What the payouts of a day are made of: that moved on earlier days."""
    days = Days(told, UTC)
    for number, header, cells, picked in _rows(stream, _MOVEMENT):
        try:
            if picked[-1]:
                days.moment(picked[-1], number)
            yield _movement(number, picked, told)
        except ValueError as problem:
            raise malformed(problem, line=number, header=header, cells=cells) from problem


def _read_payouts(stream: BinaryIO, told: Told) -> Iterator[Line]:
    first = True
    for number, header, cells, picked in _rows(stream, _PAYOUT):
        try:
            line = _payout(number, picked, told)
        except ValueError as problem:
            raise malformed(problem, line=number, header=header, cells=cells) from problem
        day = line.happened_at.date()
        if not told.day <= day <= told.last + _TRAVELS:
            require_day(told, day, line=number, first=first)
        first = False
        yield line


def _money(number: int, cells: Sequence[str], told: Told) -> _Money:
    currency = cells[0].strip().upper()
    require_currency(told, currency, line=number)
    digits = exponent(currency)
    gross, fee, net = (loose_decimal(cell, digits) for cell in cells[1:4])
    if gross - fee != net:
        raise StatementTotalsDiffer(
            f"Line {number}: {cells[1]} less a fee of {cells[2]} is not {cells[3]}. Fetch the file again.",
            line=number,
        )
    return _Money(currency, gross, fee * _THOUSANDTHS, _KINDS.get(cells[4].strip(), LineKind.OTHER))


def _movement(number: int, cells: Sequence[str], told: Told) -> Line:
    currency, gross, fee, kind = _money(number, cells, told)
    entry, source, description, intent, payment, refund, payout, created, _ = cells[5:]
    reference, parent = "", identifier(payment)
    if kind is LineKind.PAYMENT:
        reference, parent = parent, ""
    elif kind in (LineKind.REFUND, LineKind.REFUND_RETURNED):
        reference = identifier(refund)
    theirs = intent if kind is LineKind.PAYMENT and intent else source
    return Line(
        number=number,
        kind=kind.value,
        reference=reference,
        parent=parent,
        their_reference=identifier(theirs or entry),
        group=identifier(source if kind is LineKind.PAYOUT and not payout else payout),
        amount=gross,
        fee=fee,
        currency=currency,
        happened_at=moment(created, UTC),
        state=LineState.SUCCESS.value,
        text=cut(description),
    )


def _payout(number: int, cells: Sequence[str], told: Told) -> Line:
    currency, gross, fee, kind = _money(number, cells, told)
    payout, effective_at, status, description = cells[5:]
    if kind is not LineKind.PAYOUT:
        raise Unreadable(cells[4], "a kind of payout")
    return Line(
        number=number,
        kind=kind.value,
        reference="",
        parent="",
        their_reference=identifier(payout),
        group=identifier(payout),
        amount=gross,
        fee=fee,
        currency=currency,
        happened_at=moment(effective_at, UTC),
        state=_STATES.get(status.strip(), LineState.PROCESSING).value,
        text=cut(description),
    )


def _is_paid_out(name: str, text: str) -> bool:
    return _is_report(text) and ("payout_reconciliation" in name or text.startswith("automatic_payout_id"))


def _is_payouts(name: str, text: str) -> bool:
    return _is_report(text) and "payout_id,effective_at" in text


def _is_movements(name: str, text: str) -> bool:
    header = text.partition("\n")[0].replace('"', "")
    return (_is_report(text) and "created" in header) or header.startswith("ID,Type,Source,Amount,Fee,Net")


def _is_report(text: str) -> bool:
    header = text.partition("\n")[0]
    return "reporting_category" in header and "gross" in header and "net" in header


_ALL: Final = (
    Format(CHANNEL, "payouts", "Stripe payouts", _read_payouts, _is_payouts),
    Format(CHANNEL, "payout_reconciliation", "Stripe payout reconciliation", _read_paid_out, _is_paid_out),
    Format(CHANNEL, "balance_change", "Stripe balance change", _read_movements, _is_movements),
)
FORMATS: Final[Mapping[str, Format]] = MappingProxyType({one.kind: one for one in _ALL})
