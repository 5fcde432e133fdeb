from datetime import datetime, timedelta

import structlog

from payments.models import Attempt

log = structlog.get_logger(__name__)

BATCH = 200
AGES = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=24))


def sound_alarms(*, now: datetime) -> int:
    """This will log an alarm about each movement whose outcome nobody knows after 15 minutes, an hour and a day.

    Nothing is ever given up for its age: the janitor goes on asking. Each age is told once, by a conditional update.
    Returns how many alarms it gave.
    """
    given = 0
    for number, age in enumerate(AGES):
        rows = Attempt.objects.unknown_since(now - age).filter(unknown_alarms=number)
        for row in rows.select_related("payment")[:BATCH]:
            if not rows.filter(pk=row.pk).update(unknown_alarms=number + 1):
                continue
            given += 1
            log.error(
                "payment.unknown_too_long",
                payment_id=row.payment.public_id,
                attempt_id=row.public_id,
                kind=row.kind,
                channel=row.channel,
                since=row.unknown_since,
                age=str(age),
                mismatch=row.mismatch,
            )
    return given
