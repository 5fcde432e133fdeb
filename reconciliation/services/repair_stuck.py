from collections.abc import Callable

from django.db import transaction

from checkout.services.take_shipment_money import take_shipment_money
from ledger.audit import attribute, record
from ledger.stuck import Action, StuckItem
from payments import selectors as payments
from payments.disputes import DisputeView
from payments.selectors import PaymentView, RefundView
from payments.services.approve_refund import approve_refund
from payments.services.ask_provider import ask_provider
from payments.services.cancel_payment import cancel_payment
from payments.services.capture_payment import capture_payment
from payments.services.finish_abnormal_refund import finish_abnormal_refund
from payments.services.prepare_evidence import prepare_evidence
from payments.services.release_rest import release_rest
from payments.services.replay_deliveries import replay_deliveries
from payments.services.replay_inbox_event import replay_inbox_event
from payments.services.request_refund import request_refund
from payments.services.retry_refund import retry_refund
from payments.services.tell_success_again import tell_success_again
from payments.states import PaymentState
from reconciliation.errors import ActionUnknown, NothingStuck, ReasonMissing
from reconciliation.facts import Repaired, RunView
from reconciliation.models import Sighting
from reconciliation.selectors import discrepancy, kind_of, stuck_item
from reconciliation.services.fetch_again import fetch_again
from reconciliation.services.fetch_statement import fetch_statement
from reconciliation.services.investigate import investigate
from reconciliation.services.look_again import look_again
from reconciliation.services.resolve import resolve


def repair_stuck(*, kind: str, subject: str, action: str, actor: str, reason: str) -> Repaired:
    """This will do the one thing that helps a stuck item, if it is stuck still, and say whether it is after that.

    Each action is a use case that owns its transactions, checks the item under its lock and can be repeated: a double
    click, or a colleague who was quicker, moves nothing twice. Who asked for it, and why, is in the audit journal
    whatever came of it. Raises `ReasonMissing`, `ActionUnknown`,
    `NothingStuck`, and what the use case refuses.
    """
    if not reason.strip():
        raise ReasonMissing("Say why: the reason is kept in the audit journal.", param="reason")
    if action not in {button.action for button in kind_of(kind).buttons}:
        raise ActionUnknown("This can not be done about it.", param="action")
    look_again(subjects=[subject])
    item = stuck_item(kind, subject)
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        record(action="stuck.repair", object_id=subject, after={"kind": kind, "action": action})
    _ACTIONS[Action(action)](item, actor, reason.strip())
    look_again(subjects=[subject])
    try:
        stuck_item(kind, subject)
    except NothingStuck:
        return Repaired(still=False, item=item)
    return Repaired(still=True, item=item)


def _ask(item: StuckItem, actor: str, reason: str) -> None:
    if item.kind == "mismatch":
        _ask_about_mismatch(item, actor, reason)
        return
    sighted = Sighting.objects.filter(subject=item.subject).first()
    ask_provider(subject=sighted.payment if sighted else item.subject, actor=actor, reason=reason)


def _ask_about_mismatch(item: StuckItem, actor: str, reason: str) -> None:
    """Explained only when the provider now speaks of our sum and it was taken, or says that nothing was."""
    found = discrepancy(item.subject)
    ask_provider(subject=found.subject, actor=actor, reason=reason)
    payment = payments.payment(found.subject)
    ended = payment.state in (PaymentState.FAILED, PaymentState.CANCELLED)
    if ended or (payment.captured == found.ours):
        _close_mismatch(item, actor, reason)


def _close_mismatch(item: StuckItem, actor: str, reason: str) -> None:
    investigate(discrepancy=item.subject, actor=actor)
    resolve(discrepancy=item.subject, actor=actor, reason=reason)


def _take_up(item: StuckItem, actor: str, reason: str) -> None:
    investigate(discrepancy=item.subject, actor=actor)


def _apply_order(item: StuckItem, actor: str, reason: str) -> None:
    tell_success_again(payment=item.subject, actor=actor, reason=reason)


def _refund(item: StuckItem, actor: str, reason: str) -> RefundView:
    """The key counts the refunds so far: two who press at once ask for the same one."""
    key = f"{item.subject}:stuck:{len(payments.refunds_of(item.subject))}"
    return request_refund(payment=item.subject, amount=None, reason=reason, actor=actor, key=key)


def _retry_refund(item: StuckItem, actor: str, reason: str) -> RefundView:
    return retry_refund(refund=item.subject, actor=actor, reason=reason)


def _finish_refund(item: StuckItem, actor: str, reason: str) -> RefundView:
    return finish_abnormal_refund(refund=item.subject, actor=actor, reason=reason)


def _approve_refund(item: StuckItem, actor: str, reason: str) -> RefundView:
    return approve_refund(refund=item.subject, actor=actor, reason=reason)


def _capture(item: StuckItem, actor: str, reason: str) -> PaymentView:
    """One for each sum that was captured before: two who press at once ask for the same one."""
    before = payments.payment(item.subject).captured.minor
    return capture_payment(
        payment=item.subject,
        amount=None,
        final=True,
        actor=actor,
        reason=reason,
        key=f"{item.subject}:stuck:{before}",
    )


def _release(item: StuckItem, actor: str, reason: str) -> PaymentView:
    """Of what was partly captured, only the rest."""
    if payments.payment(item.subject).captured.minor:
        return release_rest(payment=item.subject, actor=actor, reason=reason)
    return cancel_payment(payment=item.subject, actor=actor, reason="merchant")


def _replay(item: StuckItem, actor: str, reason: str) -> None:
    if item.subject.startswith("inb_"):
        replay_inbox_event(event=item.subject, actor=actor, reason=reason)
    else:
        replay_deliveries(deliveries=[item.subject], actor=actor, reason=reason)


def _prepare_answer(item: StuckItem, actor: str, reason: str) -> DisputeView:
    return prepare_evidence(dispute=item.subject, actor=actor)


def _resume_shipment(item: StuckItem, actor: str, reason: str) -> None:
    take_shipment_money(shipment=item.subject, actor=actor)


def _fetch_statement(item: StuckItem, actor: str, reason: str) -> RunView:
    """At once, rather than at the job's next turn: who presses wants to see it."""
    fetch_again(run=item.subject, actor=actor, reason=reason)
    return fetch_statement(run=item.subject)


_ACTIONS: dict[Action, Callable[[StuckItem, str, str], object]] = {
    Action.ASK: _ask,
    Action.APPLY_ORDER: _apply_order,
    Action.REFUND: _refund,
    Action.RETRY_REFUND: _retry_refund,
    Action.FINISH_REFUND: _finish_refund,
    Action.APPROVE_REFUND: _approve_refund,
    Action.CAPTURE: _capture,
    Action.RELEASE: _release,
    Action.REPLAY: _replay,
    Action.PREPARE_ANSWER: _prepare_answer,
    Action.RESUME_SHIPMENT: _resume_shipment,
    Action.CLOSE_MISMATCH: _close_mismatch,
    Action.FETCH_STATEMENT: _fetch_statement,
    Action.TAKE_UP: _take_up,
}
