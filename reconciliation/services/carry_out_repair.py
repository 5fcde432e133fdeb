from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

from ledger.services.post import post
from reconciliation.cases import case_of
from reconciliation.differing import Proposal
from reconciliation.errors import RepairNotOffered
from reconciliation.models import Discrepancy, Repair
from reconciliation.proposals import SUFFIX, offered
from reconciliation.services.join_items import join_items
from reconciliation.services.take_back_repair import take_back_repair
from reconciliation.states import CORRECTIONS, DiscrepancyState, RepairKind

# After these there is still something to find out.
_LEAVES_OPEN = frozenset({RepairKind.SUSPENSE, RepairKind.WAIT})


def carry_out_repair(*, row: Discrepancy, repair: Repair) -> None:
    """This will post what the repair says, to the unit, and close the discrepancy where that settles it.

    An operation: needs an open transaction and the locks of both rows; the repair has started. Posts under
    `dis_…:<repair>`, a later one of the same kind under the next number. Raises `RepairNotOffered` when it would post
    another sum than was proposed, `ItemsDoNotMatch`, and what the ledger refuses.
    """
    assert connection.in_atomic_block, "carry_out_repair() is an operation"
    if repair.kind == RepairKind.FORCE_MATCH:
        join_items(row=row, repair=repair)
        return
    proposal = offered(case_of(row), repair.kind)
    if proposal is None or (proposal.moved and proposal.moved.minor != repair.amount):
        raise RepairNotOffered("It is not as it was when this was proposed: reject it and look again.")
    now = timezone.now()
    if repair.kind in CORRECTIONS:
        _take_others_back(row, repair)
    key, posted = _post(row, repair, proposal)
    if repair.kind == RepairKind.WAIT:
        repair.wait_until(timezone.localdate() + timedelta(days=settings.RECONCILIATION_WAIT_DAYS))
    repair.finish(at=now, posting_key=key, posted=posted)
    repair.store()
    _close(row, repair, now)


def _take_others_back(row: Discrepancy, repair: Repair) -> None:
    """What lies in suspense meanwhile: a correction is all that stays booked."""
    for standing in row.repairs.standing().exclude(posted=""):
        take_back_repair(repair=standing, actor=repair.proposed_by, reason=repair.reason)


def _close(row: Discrepancy, repair: Repair, now: datetime) -> None:
    closer = repair.approved_by or repair.proposed_by
    if row.state == DiscrepancyState.OPEN:
        row.investigate(actor=repair.proposed_by)
    if repair.kind == RepairKind.WRITE_OFF:
        # By a rule, whose second person was who switched it on.
        row.write_off(actor=repair.approved_by or "system", at=now)
    elif repair.kind not in _LEAVES_OPEN:
        row.resolve(actor=closer, reason=repair.reason, at=now)
    row.store()


def _post(row: Discrepancy, repair: Repair, proposal: Proposal) -> tuple[str, str]:
    if not proposal.entries:
        return "", ""
    key = f"{row.public_id}:{SUFFIX[proposal.kind]}"
    earlier = row.repairs.filter(kind=repair.kind).exclude(posting_key="").count()
    if earlier:
        key = f"{key}:{earlier + 1}"
    posting = post(
        business_key=key,
        reference=row.reference or row.public_id,
        description=proposal.words[:300],
        entries=proposal.entries,
    )
    return key, posting.id
