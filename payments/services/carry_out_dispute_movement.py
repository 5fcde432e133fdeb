from datetime import datetime

from django.db import transaction
from django.utils import timezone

from ledger.identifiers import decode
from payments.channels import registry
from payments.channels.contract import (
    ChannelUnavailable,
    DisputeDesk,
    DisputeNews,
    DisputeNewsState,
    EvidenceRefused,
    EvidenceRequest,
)
from payments.models import Dispute, DisputeMovement, EvidenceFile, Payment
from payments.services.apply_dispute_news import apply_dispute_news
from payments.states import DisputeMovementKind

_WAITING = (DisputeNewsState.WARNING, DisputeNewsState.NEEDS_RESPONSE)


def carry_out_dispute_movement(*, movement: str, again: bool = False) -> None:
    """This will hand our answer to the channel; `again`, it asks first what became of it the time before.

    Phases two and three of a movement that is stored: no transaction is open while the channel is called, and the
    outbound keys are the same for every try. No clear answer leaves it UNKNOWN.
    """
    row = DisputeMovement.objects.select_related("dispute__attempt").get(pk=decode("dmv", movement))
    if not row.is_under_way:
        return
    desk, asked_at = registry.dispute_desk(row.dispute.channel), timezone.now()
    try:
        news, done = _asked(desk, row) if again else (None, False)
        if news is None or (not done and news.state in _WAITING):
            news = _sent(desk, row)
            # One that can not be given up stays as it is, without a refusal.
            done = row.kind == DisputeMovementKind.SUBMIT or news.state == DisputeNewsState.LOST
    except EvidenceRefused as refused:
        _settle(row, failed=str(refused))
    except ChannelUnavailable as silence:
        _settle(row, lost=str(silence) or "no clear answer")
    else:
        _apply(row, news, done, asked_at)


def _asked(desk: DisputeDesk, row: DisputeMovement) -> tuple[DisputeNews, bool]:
    """How it stands, and whether that is what we asked for."""
    news = desk.query_dispute(row.dispute.channel_reference)
    if row.kind == DisputeMovementKind.ACCEPT:
        return news, news.state == DisputeNewsState.LOST
    return news, news.submitted or news.state in (DisputeNewsState.UNDER_REVIEW, DisputeNewsState.WON)


def _sent(desk: DisputeDesk, row: DisputeMovement) -> DisputeNews:
    reference = row.dispute.channel_reference
    if row.kind == DisputeMovementKind.ACCEPT:
        return desk.accept_dispute(key=row.key, reference=reference)
    files = {}
    for kind, name in row.files.items():
        # One at a time: together they may be larger than a worker should hold.
        file = EvidenceFile.objects.get(pk=decode("evf", name))
        files[kind] = desk.upload_evidence(
            key=f"{row.key}:{kind}",
            name=file.name,
            content_type=file.content_type,
            content=bytes(file.content),
        )
    return desk.submit_evidence(EvidenceRequest(key=row.key, dispute=reference, texts=row.texts, files=files))


def _apply(row: DisputeMovement, news: DisputeNews, done: bool, asked_at: datetime) -> None:
    with transaction.atomic(durable=True):
        Payment.objects.locked().get(pk=row.dispute.payment_id)
        dispute = Dispute.objects.locked().select_related("attempt").get(pk=row.dispute_id)
        current = DisputeMovement.objects.locked().get(pk=row.pk)
        if current.is_under_way and not done:
            current.fail("The dispute was closed, or answered otherwise, before this arrived.")
            current.store()
        elif current.is_under_way:
            current.succeed()
            current.store()
        apply_dispute_news(attempt=dispute.attempt, news=news, heard_at=asked_at, asked=True)


def _settle(row: DisputeMovement, *, failed: str = "", lost: str = "") -> None:
    with transaction.atomic(durable=True):
        current = DisputeMovement.objects.locked().get(pk=row.pk)
        if not current.is_under_way:
            return
        if failed:
            current.fail(failed)
        else:
            current.lose_sight(lost)
        current.store()
