"""What must be true of discrepancies, derived again from the rows."""

from collections.abc import Iterable, Iterator
from itertools import islice

from django.db.models import F, Q, QuerySet

from ledger.facts import Entry
from ledger.invariants import Check, Finding
from ledger.selectors import entries_by_key
from reconciliation.matching import difference
from reconciliation.models import Discrepancy, Repair
from reconciliation.selectors import view_of
from reconciliation.states import CLOSED, DiscrepancyState, RepairKind, RepairState

_CHUNK = 2000
_STOOD = [RepairState.DONE.value, RepairState.UNDONE.value]


def check() -> Iterator[Check]:
    """This will look at every discrepancy."""
    rows = Discrepancy.objects.all()
    yield "reconciliation.amount_at_risk", rows.count(), _wrong_amounts("reconciliation.amount_at_risk")
    for name, broken, detail in (
        ("reconciliation.closed_by_someone", _closed_by_nobody(), "is closed without a person and a reason"),
        ("reconciliation.written_off_by_two", _written_off_by_one(), "was written off by one person alone"),
    ):
        found = (Finding(name, row.public_id, detail) for row in broken.iterator(_CHUNK))
        yield name, rows.filter(state__in=CLOSED).count(), found
    repairs = Repair.objects.filter(state__in=_STOOD)
    name = "reconciliation.repairs_posted"
    yield name, repairs.count(), _wrong_repairs(name)
    alone = repairs.filter(needs_second=True).filter(Q(approved_by="") | Q(approved_by=F("proposed_by")))
    name = "reconciliation.repaired_by_two"
    found = (Finding(name, row.public_id, "was agreed to by nobody else") for row in alone.iterator(_CHUNK))
    yield name, repairs.filter(needs_second=True).count(), found


def _wrong_repairs(name: str) -> Iterator[Finding]:
    """A repair posted what it says, once, and one that was undone is reversed."""
    rows = Repair.objects.filter(state__in=_STOOD).exclude(posting_key="").order_by("pk")
    for chunk in _batched(rows.iterator(_CHUNK)):
        keys = [row.posting_key for row in chunk]
        known = entries_by_key([*keys, *(f"{key}:undone" for key in keys)])
        for row in chunk:
            if detail := _wrong(row, known):
                yield Finding(name, row.public_id, detail)


def _wrong(row: Repair, known: dict[str, tuple[Entry, ...]]) -> str:
    entries = known.get(row.posting_key)
    if entries is None:
        return f"says it posted {row.posting_key}, and that is not in the journal"
    told = [one.amount.minor for one in entries if one.amount.currency == row.currency]
    moved = sum(minor for minor in told if minor > 0)
    if row.kind != RepairKind.FORCE_MATCH and moved != row.amount:
        return f"says it moved {row.amount} {row.currency}, and the journal says {moved}"
    reversed_ = f"{row.posting_key}:undone" in known
    if reversed_ != (row.state == RepairState.UNDONE):
        return f"is {row.state}, and its posting is {'' if reversed_ else 'not '}reversed"
    return ""


def _batched(rows: Iterable[Repair]) -> Iterator[list[Repair]]:
    """In lists of a chunk's length."""
    left = iter(rows)
    while chunk := list(islice(left, _CHUNK)):
        yield chunk


def _closed_by_nobody() -> QuerySet[Discrepancy]:
    nameless = Q(closed_by="") | Q(reason="") | Q(closed_at=None)
    return Discrepancy.objects.filter(nameless, state__in=CLOSED)


def _written_off_by_one() -> QuerySet[Discrepancy]:
    alone = Q(write_off_proposed_by="") | Q(write_off_proposed_by=F("closed_by"))
    return Discrepancy.objects.filter(alone, state=DiscrepancyState.WRITTEN_OFF)


def _wrong_amounts(name: str) -> Iterator[Finding]:
    for row in Discrepancy.objects.filter(file=None).iterator(_CHUNK):
        view = view_of(row)
        kind, at_risk = difference(view.ours, view.told)
        if (row.kind, view.at_risk) != (kind, at_risk):
            yield Finding(name, row.public_id, f"says {row.kind} {view.at_risk}, derived {kind} {at_risk}")
