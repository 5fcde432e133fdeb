"""What the ledger takes and gives: frozen dataclasses. Pure.

A debit is positive, a credit negative; that holds for balances too, so a liability that we owe is negative.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any, NamedTuple
from uuid import UUID

from ledger.identifiers import encode
from ledger.money import Money


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a posting. `item` is the SKU that it is for, where there is one."""

    account: str
    amount: Money
    item: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A transaction to be written: what `post` takes."""

    business_key: str
    reference: str
    description: str
    entries: Sequence[Entry]
    happened_at: datetime | None = None  # now
    on: date | None = None  # the accounting day: that of `happened_at`, or the first open day


class PostedTransaction(NamedTuple):  # which is made in a tenth of the time that a dataclass takes
    """`created` is false when the business key had been posted before with the same content."""

    key: str  # as 32 digits
    business_key: str
    created: bool

    @property
    def id(self) -> str:
        """`txn_…`, made when somebody asks: most who post many do not."""
        return encode("txn", UUID(self.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionView:
    id: str  # txn_…
    business_key: str
    reference: str
    description: str
    happened_at: datetime
    posted_on: date
    created_at: datetime
    reverses: str  # txn_…, empty when it is no reversal
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBalance:
    account: str
    kind: str
    balance: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBalance:
    """Every account that was ever used. The books are sound when each currency's total is zero."""

    accounts: tuple[AccountBalance, ...]
    totals: tuple[Money, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    entry: int  # its number in the journal
    posted_on: date
    happened_at: datetime
    transaction: str  # txn_…
    reference: str
    description: str
    item: str
    amount: Money
    balance: Money  # after it


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatement:
    """A page of it. `opening` and `closing` are of the whole statement; `next` is empty on the last page."""

    account: str
    opening: Money
    closing: Money
    lines: tuple[StatementLine, ...]
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTotals:
    """The trial balance of a closed day in one currency."""

    moved: Money  # the day's debits, and its credits
    balances: Money  # all debit balances after it, and all credit balances


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedDay:
    posted_on: date
    entry_count: int
    closed_by: str
    closed_at: datetime
    totals: tuple[DayTotals, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One `base` is worth `value` `quote`, in major units, exactly."""

    base: str
    quote: str
    value: Fraction
    source: str
    valid_since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """One thing that was done. `before` and `after` are a state's name, or small JSON."""

    happened_at: datetime
    actor: str
    action: str
    object_id: str
    before: Any
    after: Any
    reason: str
    request_id: str
    network: str  # that the request came from; "" when none did
    sealed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainState:
    """How far the audit journal is sealed, and how far that is told outside. Zero and empty before the first."""

    sealed: int
    hash: str
    sealed_at: datetime | None
    unsealed: int  # entries that wait for the sealer
    anchored: int
    anchored_at: datetime | None


@dataclass(frozen=True, slots=True)
class OpenWork:
    """What waits for a person in one queue: how many, since when the oldest, how many of them past their time."""

    count: int
    oldest: datetime | None
    late: int
