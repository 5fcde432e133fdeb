from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from ledger.identifiers import MalformedIdentifier
from payments.channels.codec import notice_from_json
from payments.channels.contract import AmountMismatch, Notice, NoticeKind, NoticeRefused, UnknownReference
from payments.events import PaymentMismatched
from payments.models import Attempt, Dispute, InboxEvent, Refund
from payments.models.refund import movement_of
from payments.services.apply_answer import apply_answer
from payments.services.apply_dispute_news import apply_dispute_news
from payments.services.apply_refund_answer import apply_refund_answer
from payments.states import AttemptKind, InboxState


class DisputeAheadOfPayment(Exception):
    """A dispute of a payment that we asked for, perhaps, and whose answer is still to come: tried again later."""


def apply_notice(*, inbox: InboxEvent) -> NoticeRefused | None:
    """This will apply a stored notification, in one transaction with all that follows from it.

    Opens its own transaction; locks the inbox row, then as `apply_answer`. Applied twice it changes nothing the
    second time. Returns the refusal of a notification that can not be applied as things stand (the row is then
    DEAD). Anything else that goes wrong is raised after the row was marked FAILED, and is tried again. A DEAD one
    stays so until a person replays it, but for one whose payment has become known since.
    """
    try:
        with transaction.atomic(durable=True):
            row = InboxEvent.objects.locked().same_as(inbox).get()
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
    if notice.kind == NoticeKind.DISPUTE:
        refusal = _apply_dispute(row.channel, notice, row.received_at)
    else:
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
        if notice.kind == NoticeKind.DISPUTE:
            assert notice.dispute is not None, "a notice of this kind speaks of a dispute"
            return _disputed(channel, notice, notice.dispute.reference) is not None
        return _refunds(channel, notice).exists()
    except (MalformedIdentifier, DisputeAheadOfPayment):
        return False


def _attempts(channel: str, notice: Notice) -> QuerySet[Attempt]:
    starts = Attempt.objects.filter(channel=channel, kind=AttemptKind.START)
    if notice.reference or not notice.answer.channel_reference:
        return starts.by_reference(notice.reference)
    return starts.filter(channel_reference=notice.answer.channel_reference)


def _refunds(channel: str, notice: Notice) -> QuerySet[Refund]:
    return Refund.objects.by_movement(notice.movement_reference).filter(payment__channel=channel)


def _apply_payment(channel: str, notice: Notice) -> NoticeRefused | None:
    try:
        attempt = _attempts(channel, notice).get()
    except (MalformedIdentifier, Attempt.DoesNotExist):
        return UnknownReference(notice.reference or notice.answer.channel_reference)
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
    _, movement = movement_of(notice.movement_reference)
    events = apply_refund_answer(refund=refund, answer=notice.answer, movement=movement)
    if any(isinstance(event, PaymentMismatched) for event in events):
        return AmountMismatch(notice.movement_reference)
    return None


def _apply_dispute(channel: str, notice: Notice, heard_at: datetime) -> NoticeRefused | None:
    assert notice.dispute is not None, "a notice of this kind speaks of a dispute"
    attempt = _disputed(channel, notice, notice.dispute.reference)
    if attempt is None:
        return UnknownReference(notice.dispute.reference)
    events = apply_dispute_news(attempt=attempt, news=notice.dispute, heard_at=heard_at)
    if any(isinstance(event, PaymentMismatched) for event in events):
        return AmountMismatch(notice.dispute.reference)
    return None


def _disputed(channel: str, notice: Notice, dispute: str) -> Attempt | None:
    """By our reference, by the provider's name of the payment, or by what we know of this dispute already."""
    starts = Attempt.objects.filter(channel=channel, kind=AttemptKind.START)
    # Looked at first: an answer that is written down meanwhile is then found below.
    one_is_awaited = starts.open().filter(channel_reference="").exists()
    try:
        ours = starts.by_reference(notice.reference).first() if notice.reference else None
    except MalformedIdentifier:
        ours = None
    theirs = notice.answer.channel_reference
    found = ours or (starts.filter(channel_reference=theirs).first() if theirs else None)
    if found:
        return found
    known = (
        Dispute.objects.filter(channel=channel, channel_reference=dispute).select_related("attempt").first()
    )
    if known is None and one_is_awaited:
        raise DisputeAheadOfPayment(dispute)
    return known.attempt if known else None


def _remember_failure(inbox: InboxEvent, error: Exception) -> None:
    with transaction.atomic(durable=True):
        row = InboxEvent.objects.locked().same_as(inbox).get()
        if row.is_exhausted:
            row.bury(repr(error))
        else:
            row.fail(repr(error))
        row.store()
