from django.conf import settings
from django.db import connection

from ledger import audit
from ledger.money import Money
from reconciliation.cases import case_of
from reconciliation.differing import Proposal
from reconciliation.errors import RepairNotOffered, RepairUnderWay
from reconciliation.models import Discrepancy, Repair, ResolveRule
from reconciliation.proposals import offered
from reconciliation.states import OUTWARD, RepairKind, RepairState

# A write-off is closed by two people whatever its sum: the table of discrepancies insists.
_ALWAYS_TWO = frozenset({RepairKind.WRITE_OFF})
_NEVER_TWO = OUTWARD | {RepairKind.WAIT}


def propose_repair(
    *, row: Discrepancy, kind: str, actor: str, reason: str, rule: ResolveRule | None = None
) -> Repair:
    """This will write down that somebody wants the repair `kind`, as it is offered now.

    An operation: needs an open transaction and the discrepancy's lock. The repair waits for a second person where its
    sum is above `RECONCILIATION_APPROVAL_ABOVE`, else it has started and the caller carries it out. One that asks a
    provider and was cut off goes on. Raises `RepairNotOffered` and `RepairUnderWay`.
    """
    assert connection.in_atomic_block, "propose_repair() is an operation"
    earlier = row.repairs.under_way().first()
    if earlier:
        if earlier.kind == kind and kind in OUTWARD:
            return earlier
        raise RepairUnderWay(
            f"{earlier.proposed_by} has proposed another repair: decide about that one first."
        )
    proposal = offered(case_of(row), kind)
    if proposal is None:
        raise RepairNotOffered("This does not fit what is known of it now: look at it again.", param="kind")
    two = rule is None and _takes_two(proposal, Money(row.amount_at_risk, row.currency))
    moved = proposal.moved or Money(row.amount_at_risk, row.currency)
    if proposal.kind == RepairKind.WRITE_OFF:
        row.propose_write_off(actor=actor, reason=reason[:500])
        row.store()
        audit.record(
            action="discrepancy.write_off_proposed", object_id=row.public_id, after=row.amount_at_risk
        )
    return Repair.objects.create(
        discrepancy=row,
        kind=proposal.kind.value,
        state=(RepairState.WAITING if two else RepairState.STARTED).value,
        amount=moved.minor,
        currency=moved.currency,
        words=proposal.words[:500],
        reason=reason[:500],
        needs_second=two,
        proposed_by=actor,
        rule=rule,
    )


def _takes_two(proposal: Proposal, at_risk: Money) -> bool:
    if proposal.kind in _ALWAYS_TWO:
        return True
    if proposal.kind in _NEVER_TWO:
        return False
    limits: dict[str, int] = settings.RECONCILIATION_APPROVAL_ABOVE
    moved = [entry.amount for entry in proposal.entries] or [at_risk]
    return any(abs(one.minor) > limits.get(one.currency, 0) for one in moved)
