"""A day of an account as the bank tells it: its lines between two balances, as camt.053, MT940 or CSV.

The same day is the same bytes however often it is asked for.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from random import Random
from typing import Any

from sandbox.bank import camt, ledger
from sandbox.bank.ledger import Account, Line
from sandbox.provider import World
from sandbox.statements import files, rows
from sandbox.statements.pages import Page, Seen
from sandbox.statements.plans import Fault

_COLUMNS = (
    *(
        "booking_date",
        "value_date",
        "bank_reference",
        "end_to_end_id",
        "counterparty",
        "counterparty_account",
    ),
    *("text", "amount", "currency", "balance"),
)
_SWIFT_LINE = 65
_SWIFT_TEXT_LINES = 6


@dataclass(frozen=True, slots=True)
class Day:
    """`opening` is what the account held before, by currency."""

    account: Account
    day: date
    lines: Sequence[Line]
    opening: Mapping[str, int]

    def currencies(self) -> list[str]:
        return sorted({line.currency for line in self.lines})

    def closing(self, currency: str) -> int:
        return self.opening.get(currency, 0) + sum(
            line.amount for line in self.lines if line.currency == currency
        )


def of_day(world: World, account: Account, asked: date, fault: Fault | None) -> Day:
    merchant = account.merchant
    day = files.day_told(world, "bank", FILE, merchant, asked, fault)
    lines = files.of_day(world, "bank", FILE, merchant, day, fault)
    opening = ledger.balances(world, merchant, _begins(day))
    for currency, off in rows.drift(world, "bank", FILE, merchant, day).items():
        opening[currency] = opening.get(currency, 0) + off
    named = replace(account, account=files.stranger(fault, account.account))
    return Day(named, day, lines, opening)


def _begins(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _lines(world: World, merchant: str, day: date) -> list[Line]:
    start = _begins(day)
    return ledger.lines_between(world, merchant, start, start + 86_400)


def _seen(line: Line) -> Seen:
    kind = "other" if line.undoes else "payment" if line.amount > 0 else "refund"
    reference = line.payout or line.end_to_end_id or line.text
    return Seen(
        line.name,
        "payout" if line.payout else kind,
        reference,
        line.amount,
        0,
        line.currency,
        line.booked_at,
        line.debtor,
    )


def _changed(line: Line, what: Mapping[str, Any]) -> Line:
    names = {"amount": "amount", "currency": "currency", "moved_at": "booked_at", "key": "name"}
    more: dict[str, Any] = {names[name]: value for name, value in what.items() if name in names}
    if "text" in what:
        more |= {"text": f"{line.text} {what['text']}", "end_to_end_id": ""}
    return replace(line, **more)


def _invented(world: World, merchant: str, day: date, dice: Random) -> Line:
    """Money whose sender says nothing that helps."""
    return Line(
        number=0,
        name=f"{day:%Y%m%d}{dice.randrange(16**8):08X}",
        merchant=merchant,
        payment=None,
        amount=dice.randint(1_000, 99_999),
        currency="CNY",
        text=f"INV {dice.randrange(10**6):06d}",
        end_to_end_id="",
        undoes=0,
        debtor="Unknown Trading Co.",
        debtor_account="",
        payout="",
        booked_at=_begins(day) + dice.randrange(86_400),
        made_at=0.0,
    )


FILE = "statement"
STATEMENTS = {
    FILE: Page(
        rows=_lines,
        seen=_seen,
        change=_changed,
        begins=_begins,
        invented=_invented,
        row_kinds=(
            *("missing", "amount", "duplicate", "late", "refund_missing", "payout_amount"),
            *("deposit_missing", "deposit_split", "deposits_joined", "unexplained"),
        ),
        file_kinds=(
            *("truncated", "damaged", "mixed_days", "other_merchant", "not_ready", "corrected", "repeated"),
        ),
    )
}


def _camt(told: Day) -> bytes:
    balances = [
        (currency, told.opening.get(currency, 0), told.closing(currency)) for currency in told.currencies()
    ]
    return camt.statement(told.account, told.day, told.lines, balances)


def _mt940(told: Day) -> bytes:
    """One message for each currency. The characters are SWIFT's; others become a full stop."""
    messages = [_message(told, currency, number) for number, currency in enumerate(told.currencies(), 1)]
    return "".join(messages).encode("ascii", "replace").replace(b"?", b".")


def _message(told: Day, currency: str, number: int) -> str:
    closing = _swift_balance(told.closing(currency), currency, told.day)
    fields = [
        f":20:{told.day:%Y%m%d}{currency}",
        f":25:{told.account.account}",
        f":28C:{told.day:%j}/{number}",
        f":60F:{_swift_balance(told.opening.get(currency, 0), currency, told.day)}",
        *(field for line in told.lines if line.currency == currency for field in _swift_line(line)),
        f":62F:{closing}",
        f":64:{closing}",
    ]
    return "\r\n".join([*fields, "-", ""])


def _swift_line(line: Line) -> list[str]:
    booked = datetime.fromtimestamp(line.booked_at, UTC)
    mark = ("RD" if line.amount > 0 else "RC") if line.undoes else ("C" if line.amount > 0 else "D")
    said = f"/EREF/{line.end_to_end_id or 'NOTPROVIDED'}/REMI/{line.text}/ORDP/{line.debtor}"
    pieces = [said[start : start + _SWIFT_LINE] for start in range(0, len(said), _SWIFT_LINE)]
    # a line that began with a colon or a hyphen would be read as the next field, or the end
    told = [f".{piece[1:]}" if piece[0] in ":-" else piece for piece in pieces[:_SWIFT_TEXT_LINES]]
    return [
        f":61:{booked:%y%m%d%m%d}{mark}{_swift_amount(line.amount, line.currency)}NTRFNONREF//{line.name}",
        *("\r\n".join([f":86:{told[0]}", *told[1:]]),),
    ]


def _swift_balance(minor: int, currency: str, day: date) -> str:
    return f"{'D' if minor < 0 else 'C'}{day:%y%m%d}{currency}{_swift_amount(minor, currency)}"


def _swift_amount(minor: int, currency: str) -> str:
    whole, _, rest = ledger.written_amount(minor, currency).partition(".")
    return f"{whole},{rest}"


def _csv(told: Day) -> bytes:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow(_COLUMNS)
    held = dict(told.opening)
    for line in told.lines:
        held[line.currency] = held.get(line.currency, 0) + line.amount
        booked = f"{datetime.fromtimestamp(line.booked_at, UTC):%Y-%m-%d}"
        table.writerow(
            [
                *(booked, booked, line.name, line.end_to_end_id, line.debtor, line.debtor_account, line.text),
                *(_signed(line.amount, line.currency), line.currency),
                _signed(held[line.currency], line.currency),
            ]
        )
    return text.getvalue().encode("utf-8")


def _signed(minor: int, currency: str) -> str:
    return f"{'-' if minor < 0 else ''}{ledger.written_amount(minor, currency)}"


# format → media type, ending of the file's name, writer
FORMATS: Mapping[str, tuple[str, str, Callable[[Day], bytes]]] = {
    "camt.053": ("application/xml", "xml", _camt),
    "mt940": ("text/plain; charset=us-ascii", "sta", _mt940),
    "csv": ("text/csv; charset=utf-8", "csv", _csv),
}
