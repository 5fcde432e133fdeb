from collections.abc import Collection
from uuid import UUID

from django.db import connection

from ledger.identifiers import encode
from reconciliation.at_bank import PAYOUT_KINDS
from reconciliation.models import Discrepancy, Repair, Settlement
from reconciliation.services.explain_discrepancies import explain_discrepancies
from reconciliation.states import CLOSED, DiscrepancyKind, SettlementState

_MOST = 2000
_REASON = "The bank's statements say something else by now"


def take_outdated_back(*, arrived: Collection[UUID]) -> int:
    """This will reverse what was posted about payouts that did not arrive as told, where the bank tells another sum of
    them by now: because of lines that were explained just now (`arrived`), or of corrected ones.

    What differs still is open again, with the sum that is told now. An operation: needs an open transaction; locks the
    discrepancies. Returns how many.
    """
    assert connection.in_atomic_block, "take_outdated_back() is an operation"
    waiting = Settlement.objects.announced().order_by("paid_on", "pk").values_list("pk", flat=True)[:_MOST]
    came = Settlement.objects.filter(deposits__bank_line__in=arrived).values_list("pk", flat=True)
    payouts = Settlement.objects.in_bulk({*waiting, *came})
    named = {encode("set", key): row for key, row in payouts.items()}
    posted = Repair.objects.standing().exclude(posted="")
    rows = Discrepancy.objects.filter(
        kind__in=PAYOUT_KINDS, subject__in=named, pk__in=posted.values("discrepancy")
    )
    outdated = [row for row in rows if not _is_as_told(row, named[row.subject])]
    explain_discrepancies(
        rows=Discrepancy.objects.filter(pk__in=[row.pk for row in outdated]), reason=_REASON
    )
    for row in outdated:
        if _kind_now(named[row.subject]) == row.kind:
            _open_again(row, named[row.subject])
    return len(outdated)


def _kind_now(payout: Settlement) -> DiscrepancyKind | None:
    if payout.state != SettlementState.ANNOUNCED:
        return None
    return DiscrepancyKind.DEPOSIT_AMOUNT if payout.deposited_amount else DiscrepancyKind.DEPOSIT_MISSING


def _is_as_told(row: Discrepancy, payout: Settlement) -> bool:
    told = (row.amount, row.told_amount)
    return _kind_now(payout) == row.kind and told == (payout.net_amount, payout.deposited_amount)


def _open_again(row: Discrepancy, payout: Settlement) -> None:
    locked = Discrepancy.objects.locked().get(pk=row.pk)
    if locked.state in CLOSED:
        locked.reopen(actor="system")
        locked.store()
    locked.tell(ours=payout.net_amount, told=payout.deposited_amount)
