"""Raise what is wrong now, and end what was."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction

from risk.features import calendar_day
from risk.models import Alert

log = structlog.get_logger(__name__)

Wrong = Mapping[tuple[str, str], dict[str, Any]]  # detail by kind and subject


def settle_alerts(*, kinds: Collection[str], wrong: Wrong, now: datetime) -> list[Alert]:
    """This will raise an alert for each `wrong` that has none, end those of these `kinds` that are wrong no more, and
    return what is to be told.

    What ends and comes back on the same day goes on quietly. Use case; locks the open alerts of these kinds. Safe
    next to itself: one caller tells.
    """
    told = list[Alert]()
    with transaction.atomic(durable=True):
        open_ = {(row.kind, row.subject): row for row in Alert.objects.open().filter(kind__in=kinds).locked()}
        for (kind, subject), detail in wrong.items():
            if (kind, subject) in open_:
                continue
            today = Alert.objects.filter(kind=kind, subject=subject, raised_on=calendar_day(now))
            if Alert.objects.raise_once(kind, subject, calendar_day(now), detail):
                told += today
            for row in today.exclude(ended_at=None).locked():
                row.last_until(None)
        over = [row for key, row in open_.items() if key not in wrong]
        for row in over:
            row.last_until(now)
    for row in told:
        log.warning("risk.alert", kind=row.kind, subject=row.subject, **row.detail)
    for row in over:
        log.info("risk.alert_ended", kind=row.kind, subject=row.subject, raised_at=row.raised_at.isoformat())
    return told
