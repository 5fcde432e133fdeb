"""What every statement format promises. Pure: no Django, no database, no I/O but reading the stream that is given.

A format yields lines while it reads, with flat memory. Only when the iterator ends has the file been found whole: its
totals agree, and it is about the merchant and the day that we expected. Whoever loads lines must load all or none.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import BinaryIO

from reconciliation.rows import Batch, Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """Where a bank's CSV says what, as saved once per bank. Columns are named as in its header.

    Either `amount` is signed, or `direction` says whose it is by one of `debit_words`, or `credit` and `debit` are two
    columns. `date_format` is strptime's ("%d.%m.%Y").
    """

    date: str
    date_format: str = "%Y-%m-%d"
    amount: str = ""
    direction: str = ""
    debit_words: tuple[str, ...] = ("D", "DBIT", "DEBIT")
    credit: str = ""
    debit: str = ""
    currency: str = ""  # without such a column, all is in `Told.currency`
    account: str = ""
    reference: str = ""  # end-to-end: what we wrote on a transfer of ours
    their_reference: str = ""
    batch: str = ""
    balance: str = ""  # after the line; when given, the chain of balances must hold
    text: tuple[str, ...] = ()
    delimiter: str = ","
    encoding: str = "utf-8"
    decimal_comma: bool = False
    skip_lines: int = 0  # before the header


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What we expect of a file: it was fetched or uploaded as this. `day` is the provider's own day.

    `until` is the last day of a file about several. An empty `merchant` or `currency` is not compared.
    """

    day: date
    until: date | None = None
    merchant: str = ""
    currency: str = ""
    time_zone: str = "UTC"  # of a bank's days; every other provider has its own
    mapping: Mapping | None = None  # of a bank's CSV
    widths: tuple[
        int, ...
    ] = ()  # of UnionPay's columns, where the acquirer has others than the published ones

    @property
    def last(self) -> date:
        return self.until or self.day

    def covers(self, day: date) -> bool:
        return self.day <= day <= self.last


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file of one channel."""

    channel: str
    kind: str
    title: str  # for people
    read: Callable[[BinaryIO, Told], Iterator[Line]]
    """The lines of a seekable stream, which may be packed (gzip, zip). Raises a `StatementRefused`, at any line.

    An empty stream is refused: a day without movements is recorded without a file, or is a file that says so.
    """
    recognises: Callable[
        [str, str], bool
    ]  # (file name in lower case, first characters of the text) → is it one
    in_batches: Callable[[BinaryIO, Told], Iterator[Batch]] | None = None
    """The same lines or the same refusal, many at once: of files so large that it matters."""
