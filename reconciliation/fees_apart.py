"""Why the fees of a statement and those of the ledger's same day differ, by name."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, NamedTuple

from django.db.models import Q, QuerySet

from ledger.facts import TransactionView
from ledger.postings import transactions_by_key
from reconciliation.models import Discrepancy, OpenItem, StatementFile
from reconciliation.rules import rounded
from reconciliation.states import DiscrepancyKind, Side

_ALONE: Final = (DiscrepancyKind.MISSING_HERE.value, DiscrepancyKind.DUPLICATE.value)
_MOST = 5000


class FeeApart(NamedTuple):
    """What the statement has beyond the ledger, minor units as the merchant sees them: a fee is negative."""

    why: str
    currency: str
    rows: int
    amount: int


def fees_apart(file: StatementFile, begin: datetime, end: datetime) -> Iterator[FeeApart]:
    """Fees other than the tariff's, of which the ledger has the tariff's; of lines that are nothing of ours; and of
    lines that another day's statement has, or that this one has of another day (its own is `begin` until before `end`).
    """
    for row in Discrepancy.objects.filter(file=file, kind=DiscrepancyKind.FEE.value):
        if apart := rounded(row.fee) - rounded(row.told_fee):
            yield FeeApart("fee", row.currency, 1, apart)
    alone = Discrepancy.objects.filter(file=file, kind__in=_ALONE, open_item=None)
    waiting = OpenItem.objects.filter(file=file, side=Side.THEIRS, cleared_at=None)
    yield from _only_theirs(alone.values_list("told_currency", "told_fee"))
    yield from _only_theirs(waiting.values_list("currency", "fee"))
    ours = OpenItem.objects.filter(side=Side.OURS, channel=file.channel, statement=file.kind)
    here = ours.filter(cleared_file=file).exclude(day_on=file.day_on)
    for view in _fees_of(here):
        if not begin <= view.happened_at < end:
            yield from _kept("other_day", view, -1)
    elsewhere = ours.filter(Q(cleared_file__isnull=False) & ~Q(cleared_file=file), day_on=file.day_on)
    for view in _fees_of(elsewhere):
        if begin <= view.happened_at < end:
            yield from _kept("elsewhere", view, 1)


def _only_theirs(fees: Iterable[tuple[str, int]]) -> Iterator[FeeApart]:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for currency, fee in fees:
        if kept := rounded(fee):
            sums[currency][0] += 1
            sums[currency][1] -= kept
    for currency, (count, amount) in sums.items():
        yield FeeApart("only_theirs", currency, count, amount)


def _fees_of(items: QuerySet[OpenItem]) -> Iterable[TransactionView]:
    names = items.order_by("pk").values_list("reference", flat=True)[:_MOST]
    return transactions_by_key([f"{name}:fee" for name in names]).values()


def _kept(why: str, view: TransactionView, sign: int) -> Iterator[FeeApart]:
    for line in view.entries:
        if line.account.startswith("channel_fees:"):
            yield FeeApart(why, line.amount.currency, 1, sign * line.amount.minor)
