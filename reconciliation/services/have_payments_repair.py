from collections.abc import Callable

from django.db import transaction
from django.utils import timezone

from ledger import audit
from ledger.errors import Refusal
from payments import selectors as payments
from payments.services.ask_provider import ask_provider
from payments.services.request_refund import request_refund
from payments.states import RefundState
from reconciliation.cases import case_of
from reconciliation.differing import Case
from reconciliation.errors import RepairNotOffered
from reconciliation.models import Discrepancy, OpenItem, Repair
from reconciliation.proposals import settled
from reconciliation.services.post_fee_of_item import post_fee_of_item
from reconciliation.services.take_back_repair import take_back_repair
from reconciliation.states import CLOSED, DiscrepancyState, RepairKind, RepairState, Side

_REPAIRED = "repaired"


def have_payments_repair(*, repair: str, actor: str) -> None:
    """This will have payments do a repair that has started, and close its discrepancy when ours and theirs agree then.

    Phases two and three: the repair is stored as STARTED, no transaction may be open. What payments do can be repeated
    under the same key. What lay in suspense for it is taken back when it settles. Raises what payments refuse; the
    repair has FAILED then, and nothing moved.
    """
    row = Repair.objects.by_public_id(repair)
    try:
        movement = _ACTS[RepairKind(row.kind)](row, case_of(row.discrepancy), actor)
    except Refusal as refusal:
        _end(row, actor, movement="", refusal=str(refusal))
        raise
    _end(row, actor, movement=movement, refusal="")


def _end(row: Repair, actor: str, *, movement: str, refusal: str) -> None:
    now = timezone.now()
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=row.reason)
        discrepancy = Discrepancy.objects.locked().get(pk=row.discrepancy_id)
        repair = Repair.objects.locked().get(pk=row.pk)
        if repair.state != RepairState.STARTED:
            return
        if refusal:
            repair.fail(at=now, why=refusal)
            repair.store()
            return
        repair.finish(at=now, movement=movement)
        repair.store()
        if discrepancy.state not in CLOSED and (movement or settled(case_of(discrepancy))):
            _settle(discrepancy, repair, actor)


def _settle(row: Discrepancy, repair: Repair, actor: str) -> None:
    now = timezone.now()
    for standing in row.repairs.standing().exclude(posted=""):
        take_back_repair(repair=standing, actor=actor, reason=f"Settled by {repair.kind}")
    if row.state == DiscrepancyState.OPEN:
        row.investigate(actor=actor)
    row.resolve(actor=actor, reason=repair.reason, at=now)
    row.store()
    # What is ours waits for its final row still.
    item = row.open_item
    if item and item.side == Side.THEIRS and repair.kind != RepairKind.REFUND:
        OpenItem.objects.clear([item.pk], how=_REPAIRED, at=now)
        post_fee_of_item(item=OpenItem.objects.get(pk=item.pk))


def _ask(row: Repair, case: Case, actor: str) -> str:
    if case.standing is None:
        raise RepairNotOffered("Payments know nothing of it any more: book it to suspense.")
    refund = case.standing.refund_state == RefundState.UNKNOWN
    subject = case.standing.refund if refund else case.standing.payment
    ask_provider(subject=subject, actor=actor, reason=row.reason)
    return ""


def _refund(row: Repair, case: Case, actor: str) -> str:
    key = f"{row.public_id}:refund"
    known = payments.refund_by_key(key)
    if known is None and (case.standing is None or not case.standing.spare):
        raise RepairNotOffered("The order needs this payment by now: look at it again.")
    payment = known.payment if known else case.standing.payment if case.standing else ""
    refund = request_refund(payment=payment, amount=None, reason=row.reason[:300], actor=actor, key=key)
    if refund.state == RefundState.FAILED:
        raise RepairNotOffered(f"The provider did not take the refund: {refund.message or refund.code}.")
    return refund.id


_ACTS: dict[RepairKind, Callable[[Repair, Case, str], str]] = {
    RepairKind.RECORD_CAPTURE: _ask,
    RepairKind.ASK_PROVIDER: _ask,
    RepairKind.REFUND: _refund,
}
