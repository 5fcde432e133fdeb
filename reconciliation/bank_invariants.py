"""What must be true of payouts, of our bank's lines and of what was posted for them."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from django.db import models
from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from ledger.facts import TransactionView
from ledger.invariants import Check, Finding
from ledger.postings import transactions_by_key
from reconciliation.models import BankLine, Settlement, StatementFile, StatementRun
from reconciliation.models.statement import LIVE
from reconciliation.states import BankLineState, RunState, SettlementState

_CHUNK = 1000
_Row = TypeVar("_Row", bound=models.Model)


def check() -> Iterator[Check]:
    """This will look at every payout, every bank line and every statement that was to be fetched."""
    payouts, lines = Settlement.objects.all(), BankLine.objects.all()
    name = "reconciliation.payouts_posted"
    paid = payouts.exclude(state=SettlementState.WITHDRAWN)
    yield name, paid.count(), _unposted(name, paid, _payout_is_posted)
    name = "reconciliation.withdrawn_payouts"
    gone = payouts.filter(state=SettlementState.WITHDRAWN)
    broken = gone.filter(~Q(posting="") | ~Q(deposited_amount=0))
    yield name, gone.count(), _found(name, broken, "is withdrawn and still posted or deposited")
    name = "reconciliation.deposited"
    yield name, payouts.count(), _found(name, _misadded(payouts), "its deposits come to another sum")
    name = "reconciliation.bank_lines_posted"
    explained = lines.filter(state=BankLineState.EXPLAINED)
    yield name, explained.count(), _unposted(name, explained, _line_is_posted)
    name = "reconciliation.bank_lines_shared"
    yield name, explained.count(), _found(name, _misshared(explained), "its shares come to another sum")
    name = "reconciliation.bank_lines_live"
    stray = lines.exclude(state=BankLineState.GONE).exclude(file__state__in=LIVE)
    yield name, lines.count(), _found(name, stray, "counts, and its statement does not")
    name = "reconciliation.runs_done"
    done = StatementRun.objects.filter(state=RunState.DONE.value)
    refused = done.filter(file__in=StatementFile.objects.filter(state__in=("RECEIVED", "REFUSED")))
    yield name, done.count(), _found(name, refused, "is done, and its statement was not read")


def _misadded(rows: QuerySet[Settlement]) -> QuerySet[Settlement]:
    return rows.annotate(came=Coalesce(Sum("deposits__amount"), 0)).exclude(came=F("deposited_amount"))


def _misshared(rows: QuerySet[BankLine]) -> QuerySet[BankLine]:
    """A transfer has none; the others are shared out to the unit."""
    shared = rows.annotate(shares=Coalesce(Sum("deposits__amount"), 0))
    return shared.exclude(Q(shares=F("amount")) | (Q(shares=0) & ~Q(movement="")))


def _found(name: str, rows: QuerySet[_Row], detail: str) -> Iterator[Finding]:
    for row in rows.iterator(_CHUNK):
        yield Finding(name, getattr(row, "public_id", str(row.pk)), detail)


def _unposted(
    name: str, rows: QuerySet[_Row], is_posted: Callable[[_Row, TransactionView], bool]
) -> Iterator[Finding]:
    for some in _chunks(rows.order_by("pk").iterator(_CHUNK)):
        keys = [str(row.posting) for row in some]  # type: ignore[attr-defined]
        posted = transactions_by_key([key for one in keys for key in (one, f"{one}:undone")])
        for row, key in zip(some, keys, strict=True):
            view = posted.get(key)
            if view is None or f"{key}:undone" in posted or not is_posted(row, view):
                yield Finding(name, row.public_id, f"is not in the books as it is: {key!r}")  # type: ignore[attr-defined]


def _payout_is_posted(row: Settlement, view: TransactionView) -> bool:
    return _moved(view, f"in_transit:{row.channel}", row.currency) == row.net_amount


def _line_is_posted(row: BankLine, view: TransactionView) -> bool:
    return _moved(view, f"bank:{row.account}", row.currency) == row.amount


def _moved(view: TransactionView, account: str, currency: str) -> int:
    lines = [line for line in view.entries if line.account == account and line.amount.currency == currency]
    return sum(line.amount.minor for line in lines)


def _chunks(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
