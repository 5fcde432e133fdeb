"""Celery: ids in, one service call. Every task may run twice, late, or next to itself."""

from datetime import timedelta

import structlog
from celery import shared_task
from django.conf import settings
from django.utils import timezone

from ledger.errors import Refusal
from payments.errors import ChannelNotReachable, DisputeNotAnswerableHere
from payments.models import Attempt, Dispute, DisputeMovement, InboxEvent, Refund, SavedMethod
from payments.services.apply_notice import apply_notice
from payments.services.carry_out_dispute_movement import carry_out_dispute_movement
from payments.services.carry_out_refund import carry_out_refund
from payments.services.expire_challenges import expire_challenges
from payments.services.expire_reviews import expire_reviews
from payments.services.forget_events import forget_events
from payments.services.forget_idempotency_keys import forget_idempotency_keys
from payments.services.forget_instrument import forget_instrument
from payments.services.prepare_evidence import prepare_evidence
from payments.services.refresh_dispute import refresh_dispute
from payments.services.remind_of_disputes import remind_of_disputes
from payments.services.settle_attempt import settle_attempt
from payments.services.sound_alarms import sound_alarms
from payments.services.tend_saved_methods import tend_saved_methods
from payments.services.watch_holds import watch_holds
from risk.services.expire_looks import expire_looks

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
def watch_over_holds() -> int:
    """Warns of holds that lapse soon, and asks about those whose time is over."""
    return watch_holds(now=timezone.now())


@shared_task
def sound_unknown_alarms() -> int:
    return sound_alarms(now=timezone.now())


@shared_task
def forget_old_events() -> int:
    return forget_events(before=timezone.now() - timedelta(days=settings.EVENTS_KEPT_DAYS))


@shared_task
def expire_due_reviews() -> int:
    now = timezone.now()
    return expire_reviews(now=now) + expire_looks(now=now)


@shared_task
def expire_due_challenges() -> int:
    return expire_challenges(now=timezone.now())


@shared_task
def settle_open_disputes() -> int:
    """Asks what became of our answers, and how open disputes stand: a notice may have been lost."""
    answers = DisputeMovement.objects.claim_due(timezone.now(), BATCH)
    for movement in answers:
        settle_one_dispute_movement.delay(movement.public_id)
    open_ones = Dispute.objects.claim_due(timezone.now(), BATCH)
    for dispute in open_ones:
        refresh_one_dispute.delay(dispute.public_id)
    return len(answers) + len(open_ones)


@shared_task
def settle_one_dispute_movement(movement: str) -> None:
    carry_out_dispute_movement(movement=movement, again=True)


@shared_task
def refresh_one_dispute(dispute: str) -> None:
    try:
        refresh_dispute(dispute=dispute)
    except (ChannelNotReachable, DisputeNotAnswerableHere) as refusal:
        # It is asked again at its next turn.
        log.warning("dispute.not_refreshed", dispute=dispute, code=refusal.code)


@shared_task
def prepare_evidence_of_one(dispute: str) -> None:
    try:
        prepare_evidence(dispute=dispute, actor="system")
    except Refusal as refusal:
        # Closed, late or answered by now: nothing is left to prepare.
        log.info("dispute.not_prepared", dispute=dispute, code=refusal.code)


@shared_task
def remind_of_due_disputes() -> int:
    return remind_of_disputes(now=timezone.now())


@shared_task
def forget_instruments() -> int:
    """Cards given up here that a channel may still know."""
    claimed = SavedMethod.objects.claim_forgetting(Attempt.objects.open(), timezone.now(), BATCH)
    for method in claimed:
        forget_one_instrument.delay(method.public_id)
    return len(claimed)


@shared_task
def forget_one_instrument(method: str) -> None:
    forget_instrument(method=method)


@shared_task
def tend_kept_cards() -> int:
    return tend_saved_methods(now=timezone.now())
