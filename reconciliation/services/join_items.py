from django.db import connection
from django.utils import timezone

from ledger.money import Money
from ledger.services.post import post
from reconciliation.cases import account_of_row
from reconciliation.errors import ItemsDoNotMatch
from reconciliation.models import Discrepancy, OpenItem, Repair
from reconciliation.proposals import SUFFIX, rest_entries
from reconciliation.services.take_back_repair import take_back_repair
from reconciliation.states import CLOSED, DiscrepancyState, RepairKind, Rest, Side


def join_items(*, row: Discrepancy, repair: Repair) -> None:
    """This will clear the open items of a forced match, post what they lie apart, and resolve what was open about them.

    An operation: needs an open transaction and the locks of the repair, which has started, and of the discrepancies
    (`with_items`); locks the items. What lay in suspense for them is taken back. Raises
    `ItemsDoNotMatch` when one was cleared meanwhile.
    """
    assert connection.in_atomic_block, "join_items() is an operation"
    keys = repair.item_keys()
    rows = [one for one in Discrepancy.objects.with_items(row.pk, keys) if one.state not in CLOSED]
    items = list(OpenItem.objects.locked().open().filter(pk__in=keys))
    if len(items) != len(keys):
        raise ItemsDoNotMatch("One of them was explained meanwhile: look at them again.")
    now = timezone.now()
    closer = repair.approved_by or repair.proposed_by
    for one in rows:
        for standing in one.repairs.standing().exclude(posted=""):
            take_back_repair(repair=standing, actor=closer, reason="Put together with others by hand")
    key, posted = _post(row, repair, items)
    repair.finish(at=now, posting_key=key, posted=posted)
    repair.store()
    OpenItem.objects.clear(keys, how=RepairKind.FORCE_MATCH, at=now)
    for one in rows:
        if one.state == DiscrepancyState.OPEN:
            one.investigate(actor=repair.proposed_by)
        one.resolve(actor=closer, reason=repair.reason, at=now)
        one.store()


def _post(row: Discrepancy, repair: Repair, items: list[OpenItem]) -> tuple[str, str]:
    theirs = sum(item.amount for item in items if item.side == Side.THEIRS)
    ours = sum(item.amount for item in items if item.side == Side.OURS)
    difference = Money(theirs - ours, items[0].currency)
    if not difference.minor:
        return "", ""
    earlier = row.repairs.filter(kind=RepairKind.FORCE_MATCH.value).exclude(posting_key="").count()
    key = f"{row.public_id}:{SUFFIX[RepairKind.FORCE_MATCH]}"
    key = f"{key}:{earlier + 1}" if earlier else key
    posting = post(
        business_key=key,
        reference=row.reference or row.public_id,
        description=f"Put together by hand, apart by {difference.formatted()}: {repair.reason}"[:300],
        entries=rest_entries(account_of_row(row), row.channel, Rest(repair.rest), difference),
    )
    return key, posting.id
