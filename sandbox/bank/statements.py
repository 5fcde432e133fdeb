"""A day of an account as the bank tells it: its lines between two balances, as camt.053, MT940 or CSV.

The same day is the same bytes however often it is asked for.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sandbox.bank import camt, ledger
from sandbox.bank.ledger import Account, Line
from sandbox.provider import World

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


def of_day(world: World, account: Account, day: date) -> Day:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    lines = ledger.lines_between(
        world, account.merchant, start.timestamp(), (start + timedelta(days=1)).timestamp()
    )
    return Day(account, day, lines, ledger.balances(world, account.merchant, start.timestamp()))


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
    said = f"/EREF/{line.end_to_end_id or 'NOTPROVIDED'}/ORDP/{line.debtor}/REMI/{line.text}"
    pieces = [said[start : start + _SWIFT_LINE] for start in range(0, len(said), _SWIFT_LINE)]
    # a line that began with a colon or a hyphen would be read as the next field, or the end
    told = [f".{piece[1:]}" if piece[0] in ":-" else piece for piece in pieces[:_SWIFT_TEXT_LINES]]
    return [
        f":61:{booked:%y%m%d%m%d}{mark}{_swift_amount(line.amount, line.currency)}NTRFNONREF//{line.name[:16]}",
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
