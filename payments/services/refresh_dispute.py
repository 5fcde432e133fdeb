from django.db import transaction
from django.utils import timezone

from payments import disputes
from payments.channels import registry
from payments.channels.contract import ChannelUnavailable
from payments.disputes import DisputeView
from payments.errors import ChannelNotReachable
from payments.services.apply_dispute_news import apply_dispute_news


def refresh_dispute(*, dispute: str) -> DisputeView:
    """This will ask the provider how the dispute stands, and apply what it says.

    No transaction is open while the provider is asked. Raises `DisputeNotFound`, `DisputeNotAnswerableHere`,
    `ChannelNotReachable`.
    """
    row = disputes.find(dispute)
    asked_at = timezone.now()
    try:
        news = registry.dispute_desk(row.channel).query_dispute(row.channel_reference)
    except ChannelUnavailable as silence:
        raise ChannelNotReachable("The provider does not answer; ask again in a minute.") from silence
    with transaction.atomic(durable=True):
        apply_dispute_news(attempt=row.attempt, news=news, heard_at=asked_at, asked=True)
    return disputes.dispute(dispute)
