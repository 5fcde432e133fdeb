from datetime import datetime, timedelta

import structlog
from django.db import transaction

from payments import outbox
from payments.events import DisputeDueSoon
from payments.models import Dispute

log = structlog.get_logger(__name__)

_BEFORE = (timedelta(days=7), timedelta(days=3), timedelta(hours=24))


def remind_of_disputes(*, now: datetime, limit: int = 200) -> int:
    """This will remind of every dispute that waits for an answer 7 days, 3 days and 24 hours before it is late.

    Opens a transaction for each; locks that dispute. Each of the three is told once; one whose
    time had passed before the dispute came is left out. Returns how many were told.
    """
    told = 0
    near = Dispute.objects.to_answer().filter(
        due_by__gt=now, due_by__lte=now + _BEFORE[0], reminders__lt=len(_BEFORE)
    )
    for found in near[:limit]:
        if _due(found, now) <= found.reminders:
            continue
        with transaction.atomic(durable=True):
            row = Dispute.objects.locked().select_related("payment").get(pk=found.pk)
            told += _remind(row, now)
    return told


def _due(row: Dispute, now: datetime) -> int:
    """How many of the reminders should have been given by now."""
    left = row.due_by - now if row.due_by else _BEFORE[0] * 2
    return sum(left <= before for before in _BEFORE)


def _remind(row: Dispute, now: datetime) -> int:
    due = _due(row, now)
    answered = row.submitted_at or row.movements.counting().filter(stage=row.state).exists()
    if due <= row.reminders or row.due_by is None or answered:
        return 0
    row.reminders, row.reminded_at = due, now
    row.store()
    hours = int((row.due_by - now).total_seconds() // 3600)
    log.warning("dispute.due_soon", dispute=row.public_id, payment=row.payment.public_id, hours_left=hours)
    outbox.publish(DisputeDueSoon(**row.told(), hours_left=hours))
    return 1
