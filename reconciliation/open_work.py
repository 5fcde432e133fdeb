"""What waits in the queues of discrepancies and of what is stuck."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone

from ledger.facts import OpenWork
from ledger.money import Money
from ledger.queues import open_work
from reconciliation.models import Discrepancy, Repair
from reconciliation.selectors import stuck_totals
from reconciliation.states import RepairState
from reconciliation.stuck import alarm_levels, every_kind


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckWork:
    """`kinds` are those of which there are any: code, title, how many."""

    work: OpenWork
    kinds: tuple[tuple[str, Any, int], ...]
    at_risk: tuple[Money, ...]


def discrepancies(now: datetime) -> OpenWork:
    """Without those that wait for a later file. Late ones are as old as an alarm tells of."""
    rows = Discrepancy.objects.unclosed().exclude(waiting_for_a_file())
    late = Q(first_seen_at__lte=now - alarm_levels("unmatched")[0])
    return open_work(rows, since="first_seen_at", late=late)


def repairs() -> OpenWork:
    """For a second person; no time is set for them."""
    return open_work(Repair.objects.waiting(), since="proposed_at")


def stuck() -> StuckWork:
    """A statement for each kind, however much is stuck."""
    totals = stuck_totals()
    counts, sums = dict[str, int](), dict[str, int]()
    for total in totals:
        counts[total.kind] = counts.get(total.kind, 0) + total.count
        if total.currency:
            sums[total.currency] = sums.get(total.currency, 0) + total.minor
    return StuckWork(
        work=OpenWork(
            sum(counts.values()),
            min((total.oldest for total in totals), default=None),
            sum(total.late for total in totals),
        ),
        kinds=tuple(
            (kind.code, kind.title, counts[kind.code]) for kind in every_kind() if kind.code in counts
        ),
        at_risk=tuple(Money(minor, currency) for currency, minor in sorted(sums.items())),
    )


def waiting_for_a_file() -> Q:
    """Of discrepancies: a later statement may settle them, and nobody has to do anything until then."""
    waits = Repair.objects.filter(state=RepairState.DONE.value, waits_on__gt=timezone.localdate())
    return Q(pk__in=waits.values("discrepancy"))
