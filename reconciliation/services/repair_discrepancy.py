from django.db import transaction

from ledger import audit
from reconciliation.cases import repair as repair_named
from reconciliation.errors import ReasonMissing
from reconciliation.facts import RepairView
from reconciliation.models import Discrepancy
from reconciliation.services.carry_out_repair import carry_out_repair
from reconciliation.services.have_payments_repair import have_payments_repair
from reconciliation.services.propose_repair import propose_repair
from reconciliation.states import OUTWARD, RepairState


def repair_discrepancy(*, discrepancy: str, kind: str, actor: str, reason: str) -> RepairView:
    """This will have a discrepancy repaired in one of the ways that are proposed for it, or propose that to a second
    person where its sum is above `RECONCILIATION_APPROVAL_ABOVE`.

    Opens its own transactions; locks the discrepancy, and asks payments with nothing open. Two who do the same at once
    do it once. Raises `ReasonMissing`, `DiscrepancyNotFound`, `DiscrepancyClosed`, `NotUnderInvestigation`,
    `RepairNotOffered`, `RepairUnderWay`, and what payments or the ledger refuse.
    """
    if not reason.strip():
        raise ReasonMissing("Say why: the reason is kept with the repair.", param="reason")
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        row = Discrepancy.objects.taken_up(discrepancy)
        row.must_be_under_investigation()
        repair = propose_repair(row=row, kind=kind, actor=actor, reason=reason.strip())
        if repair.state == RepairState.STARTED and kind not in OUTWARD:
            carry_out_repair(row=row, repair=repair)
    if repair.state == RepairState.STARTED:
        have_payments_repair(repair=repair.public_id, actor=actor)
    return repair_named(repair.public_id)
