"""What must be true of discrepancies, derived again from the rows."""

from collections.abc import Iterator

from django.db.models import F, Q, QuerySet

from ledger.invariants import Check, Finding
from reconciliation.matching import difference
from reconciliation.models import Discrepancy
from reconciliation.selectors import view_of
from reconciliation.states import CLOSED, DiscrepancyState

_CHUNK = 2000


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


def _closed_by_nobody() -> QuerySet[Discrepancy]:
    nameless = Q(closed_by="") | Q(reason="") | Q(closed_at=None)
    return Discrepancy.objects.filter(nameless, state__in=CLOSED)


def _written_off_by_one() -> QuerySet[Discrepancy]:
    alone = Q(write_off_proposed_by="") | Q(write_off_proposed_by=F("closed_by"))
    return Discrepancy.objects.filter(alone, state=DiscrepancyState.WRITTEN_OFF)


def _wrong_amounts(name: str) -> Iterator[Finding]:
    for row in Discrepancy.objects.iterator(_CHUNK):
        view = view_of(row)
        kind, at_risk = difference(view.ours, view.told)
        if (row.kind, view.at_risk) != (kind, at_risk):
            yield Finding(name, row.public_id, f"says {row.kind} {view.at_risk}, derived {kind} {at_risk}")
