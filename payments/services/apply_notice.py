from django.db import transaction
from django.db.models import QuerySet

from ledger.identifiers import MalformedIdentifier
from payments.channels.codec import notice_from_json
from payments.channels.contract import AmountMismatch, Notice, NoticeKind, NoticeRefused, UnknownReference
from payments.events import PaymentMismatched
from payments.models import Attempt, InboxEvent, Refund
from payments.services.apply_answer import apply_answer
from payments.services.apply_refund_answer import apply_refund_answer
from payments.states import AttemptKind, InboxState


def apply_notice(*, inbox: InboxEvent) -> NoticeRefused | None:
    """This will apply a stored notification, in one transaction with all that follows from it.

    Opens its own transaction; locks the inbox row, then as `apply_answer`. Applied twice it changes nothing the
    second time. Returns the refusal of a notification that can not be applied as things stand (the row is then
    DEAD). Anything else that goes wrong is raised after the row was marked FAILED, and is tried again. A DEAD one
    stays so until a person replays it, but for one whose payment has become known since.
    """
    try:
        with transaction.atomic(durable=True):
            row = InboxEvent.objects.locked().get(pk=inbox.pk)
            if row.state in (InboxState.APPLIED, InboxState.IGNORED):
                return None
            refusal = _apply(row, notice_from_json(row.notice))
            row.store()
            return refusal
    except Exception as error:
        _remember_failure(inbox, error)
        raise


def _apply(row: InboxEvent, notice: Notice) -> NoticeRefused | None:
    if row.state == InboxState.DEAD:
        if row.error != UnknownReference.code or not _is_known(row.channel, notice):
            return NoticeRefused.named(row.error)
        row.revive()
    if notice.kind == NoticeKind.OTHER:
        row.ignore()
        return None
    apply = _apply_payment if notice.kind == NoticeKind.PAYMENT else _apply_refund
    refusal = apply(row.channel, notice)
    if refusal:
        row.bury(refusal.code)
    else:
        row.apply()
    return refusal


def _is_known(channel: str, notice: Notice) -> bool:
    """The provider sends it again, and by now we have what it is about (a database that was restored, say)."""
    try:
        if notice.kind == NoticeKind.PAYMENT:
            return _attempts(channel, notice).exists()
        return _refunds(channel, notice).exists()
    except MalformedIdentifier:
        return False


def _attempts(channel: str, notice: Notice) -> QuerySet[Attempt]:
    return Attempt.objects.by_reference(notice.reference).filter(channel=channel, kind=AttemptKind.START)


def _refunds(channel: str, notice: Notice) -> QuerySet[Refund]:
    return Refund.objects.by_public_id(notice.movement_reference).filter(payment__channel=channel)


def _apply_payment(channel: str, notice: Notice) -> NoticeRefused | None:
    try:
        attempt = _attempts(channel, notice).get()
    except (MalformedIdentifier, Attempt.DoesNotExist):
        return UnknownReference(notice.reference)
    events = apply_answer(attempt=attempt, answer=notice.answer, source="notice")
    if any(isinstance(event, PaymentMismatched) for event in events):
        return AmountMismatch(notice.reference)
    return None


def _apply_refund(channel: str, notice: Notice) -> NoticeRefused | None:
    try:
        refund = _refunds(channel, notice).get()
    except (MalformedIdentifier, Refund.DoesNotExist):
        return UnknownReference(notice.movement_reference)
    if notice.answer.amount not in (None, refund.money):
        return AmountMismatch(notice.movement_reference)
    events = apply_refund_answer(refund=refund, answer=notice.answer)
    if any(isinstance(event, PaymentMismatched) for event in events):
        return AmountMismatch(notice.movement_reference)
    return None


def _remember_failure(inbox: InboxEvent, error: Exception) -> None:
    with transaction.atomic(durable=True):
        row = InboxEvent.objects.locked().get(pk=inbox.pk)
        if row.is_exhausted:
            row.bury(repr(error))
        else:
            row.fail(repr(error))
        row.store()
