from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction

from risk import daily, drift
from risk.features import calendar_day
from risk.models import Alert
from risk.states import Action

log = structlog.get_logger(__name__)


def watch_jumps(*, now: datetime) -> int:
    """This will warn where today's share of an action jumped, or an input drifted, once a day each.

    Today is compared with the weeks of the reference, the last week's inputs with theirs; too few say nothing.
    Use case. Returns how many warnings it gave.
    """
    today, given = calendar_day(now), 0
    for kind, subject, detail in (*_jumped(now), *_drifted(now)):
        with transaction.atomic(durable=True):
            new = Alert.objects.raise_once(kind, subject, today, detail)
        if new:
            log.warning("risk.alert", kind=kind, subject=subject, **detail)
            given += 1
    return given


def _jumped(now: datetime) -> Iterator[tuple[str, str, dict[str, Any]]]:
    reference, recent = daily.windows(now)
    before: Counter[str] = Counter()
    for row in reference:
        before.update(row.actions)
    current: dict[str, int] = next((row.actions for row in recent if row.counted_on == calendar_day(now)), {})
    for action in Action:
        shares = drift.jumped(before, current, action.value)
        if shares is not None:
            yield "jump", action.value, {"before": shares[0], "today": shares[1]}


def _drifted(now: datetime) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for one in daily.moved(now=now):
        if one.alarming:
            yield "drift", one.name, {"index": one.index}
