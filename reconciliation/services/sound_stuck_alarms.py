from datetime import datetime
from itertools import islice

import structlog

from ledger.stuck import StuckItem, StuckKind
from reconciliation.models import StuckNote
from reconciliation.stuck import alarm_levels, every_kind

log = structlog.get_logger(__name__)

_MOST = 2000  # of one kind and level at a time: when there are more, one alarm is as good as the next
_CHUNK = 200


def sound_stuck_alarms(*, now: datetime) -> int:
    """This will log `stuck.alarm` for each item that has been stuck longer than its kind may be, once for each level.

    `STUCK_ALARMS` gives the minutes of each level. What somebody has seen is left alone until that time is over;
    what is repaired is forgotten, and told anew should it get stuck again. Returns how many alarms it gave.
    """
    given = 0
    for kind in every_kind():
        _forget_repaired(kind, now)
        quiet = set(
            StuckNote.objects.filter(kind=kind.code, snoozed_until__gt=now).values_list("subject", flat=True)
        )
        for level, after in reversed(list(enumerate(alarm_levels(kind.code), start=1))):
            old = kind.stuck_before(now, now - after)
            loud = (item for item in islice(old, _MOST) if item.subject not in quiet)
            given += sum(_sound(item, level, now) for item in loud)
    return given


def _sound(item: StuckItem, level: int, now: datetime) -> bool:
    if not StuckNote.objects.raise_level(item.kind, item.subject, level):
        return False
    log.error(
        "stuck.alarm",
        kind=item.kind,
        subject=item.subject,
        reference=item.reference,
        amount=item.at_risk.minor if item.at_risk else None,
        currency=item.at_risk.currency if item.at_risk else "",
        since=item.since.isoformat(),
        minutes=int((now - item.since).total_seconds() // 60),
        level=level,
    )
    return True


def _forget_repaired(kind: StuckKind, now: datetime) -> None:
    known = list(StuckNote.objects.filter(kind=kind.code).values_list("subject", flat=True)[:_MOST])
    for first in range(0, len(known), _CHUNK):
        some = known[first : first + _CHUNK]
        gone = set(some) - kind.still(now, some)
        if gone:
            StuckNote.objects.filter(kind=kind.code, subject__in=gone).delete()
