"""Why the fees of a statement and those of the ledger's same day differ, by name."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from reconciliation.models import Discrepancy, OpenItem, StatementFile
from reconciliation.rows import LineState
from reconciliation.rules import rounded
from reconciliation.states import DiscrepancyKind, Side

_ALONE: Final = (DiscrepancyKind.MISSING_HERE.value, DiscrepancyKind.DUPLICATE.value)


class FeeApart(NamedTuple):
    """What the statement has beyond the ledger, minor units as the merchant sees them: a fee is negative."""

    why: str
    currency: str
    rows: int
    amount: int


def fees_apart(file: StatementFile) -> Iterator[FeeApart]:
    """Fees other than the tariff's, of which the ledger has the tariff's; and of lines that are nothing of ours.

    All others are the same on either side, whatever day their movement is of: a fee is posted at the moment of its row,
    and no statement has rows of other days.
    """
    for row in Discrepancy.objects.filter(file=file, kind=DiscrepancyKind.FEE.value):
        if apart := rounded(row.fee) - rounded(row.told_fee):
            yield FeeApart("fee", row.currency, 1, apart)
    done = LineState.SUCCESS.value
    alone = Discrepancy.objects.filter(file=file, kind__in=_ALONE, open_item=None, their_state=done)
    waiting = OpenItem.objects.filter(file=file, side=Side.THEIRS, cleared_at=None, line_state=done)
    yield from _only_theirs(alone.values_list("told_currency", "told_fee"))
    yield from _only_theirs(waiting.values_list("currency", "fee"))


def _only_theirs(fees: Iterable[tuple[str, int]]) -> Iterator[FeeApart]:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for currency, fee in fees:
        if kept := rounded(fee):
            sums[currency][0] += 1
            sums[currency][1] -= kept
    for currency, (count, amount) in sums.items():
        yield FeeApart("only_theirs", currency, count, amount)
