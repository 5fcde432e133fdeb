"""Celery: ids in, one service call. Every task may run twice, late, or next to itself."""

from datetime import timedelta

import structlog
from celery import shared_task
from django.conf import settings
from django.utils import timezone

from payments.models import Attempt, InboxEvent, Refund
from payments.services.apply_notice import apply_notice
from payments.services.carry_out_refund import carry_out_refund
from payments.services.expire_reviews import expire_reviews
from payments.services.forget_events import forget_events
from payments.services.forget_idempotency_keys import forget_idempotency_keys
from payments.services.settle_attempt import settle_attempt

log = structlog.get_logger(__name__)

BATCH = 200


@shared_task
def settle_open_attempts() -> int:
    """The janitor: asks the providers about every attempt whose next question is due."""
    claimed = Attempt.objects.claim_due(timezone.now(), BATCH)
    for attempt in claimed:
        settle_one_attempt.delay(attempt.public_id)
    return len(claimed)


@shared_task
def settle_one_attempt(attempt: str) -> None:
    settle_attempt(attempt=attempt)


@shared_task
def settle_open_refunds() -> int:
    claimed = Refund.objects.claim_due(timezone.now(), BATCH)
    for refund in claimed:
        carry_out_one_refund.delay(refund.public_id)
    return len(claimed)


@shared_task
def carry_out_one_refund(refund: str) -> None:
    carry_out_refund(refund=refund)


@shared_task
def retry_inbox() -> int:
    """Applies what could not be applied when it arrived."""
    applied = 0
    for row in InboxEvent.objects.due(timezone.now())[:BATCH]:
        try:
            apply_notice(inbox=row)
            applied += 1
        except Exception:
            log.exception("inbox.retry_failed", channel=row.channel, event_id=row.event_id)
    return applied


@shared_task
def forget_old_idempotency_keys() -> int:
    return forget_idempotency_keys(now=timezone.now())


@shared_task
def forget_old_events() -> int:
    return forget_events(before=timezone.now() - timedelta(days=settings.EVENTS_KEPT_DAYS))


@shared_task
def expire_due_reviews() -> int:
    return expire_reviews(now=timezone.now())
