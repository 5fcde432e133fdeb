from collections import Counter
from datetime import datetime, timedelta
from itertools import groupby

from django.db import transaction

from risk import daily, drift, features, stored
from risk.models import DayFigures, HourFigures, Policy, Reader
from risk.selectors import policy_document
from risk.states import PolicyState

_CHUNK = 1000
_MOST_CHUNKS = 30  # the next run goes on
_FIRST = timedelta(days=40)  # older days are no reference any more


def take_day_figures(*, now: datetime) -> int:
    """This will count what was decided since it last did into its day's and hour's figures, and return how many.

    Each decision counts once: a chunk and how far it reaches are one transaction, which locks the reader, then the
    days. Decisions of the last two minutes wait, because one of before may still appear among them.
    """
    read = 0
    for _ in range(_MOST_CHUNKS):
        some = _take_some(now)
        read += some
        if some < _CHUNK:
            break
    return read


def _take_some(now: datetime) -> int:
    active = Policy.objects.filter(state=PolicyState.ACTIVE).first()
    if active is None:
        return 0
    rates = policy_document(active.pk).rates
    with transaction.atomic(durable=True):
        reader = Reader.objects.of("day_figures")
        after = reader.through or stored.key_before(now - _FIRST)
        rows = next(stored.chunks(after, stored.key_before(now - stored.SETTLED), _CHUNK), [])
        for day, of_day in groupby(rows, key=lambda row: features.calendar_day(stored.made_at(row.id))):
            figures = DayFigures.objects.of(day)
            for row in of_day:
                figures.actions[row.action] = figures.actions.get(row.action, 0) + 1
                drift.add(figures.inputs, drift.spread_of(row.inputs, rates))
            figures.store()
        for hour, of_hour in groupby(rows, key=lambda row: daily.hour_of(stored.made_at(row.id))):
            HourFigures.objects.of(hour).add(Counter(row.action for row in of_hour))
        if rows:
            reader.advance(rows[-1].id)
    return len(rows)
