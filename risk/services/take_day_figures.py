from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from uuid import UUID

from django.db import transaction

from risk import daily, drift, features, stored
from risk.models import DayFigures, HourFigures, Policy, Reader
from risk.selectors import policy_document
from risk.states import PolicyState

_CHUNK = 1000
# Of a full chunk the inputs of so many stand for all: how they are spread needs no more, and to read one takes a worker
# most of a millisecond.
_LOOKED_AT = 100
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
        rows = stored.actions(after, stored.key_before(now - stored.SETTLED), _CHUNK)
        spreads = _spreads(rows, rates)
        for day, of_day in groupby(rows, key=lambda row: features.calendar_day(stored.made_at(row[0]))):
            figures = DayFigures.objects.of(day)
            for key, action in of_day:
                figures.actions[action] = figures.actions.get(action, 0) + 1
                drift.add(figures.inputs, *spreads.get(key, ({}, 0)))
            figures.store()
        for hour, of_hour in groupby(rows, key=lambda row: daily.hour_of(stored.made_at(row[0]))):
            HourFigures.objects.of(hour).add(Counter(action for _, action in of_hour))
        if rows:
            reader.advance(rows[-1][0])
    return len(rows)


def _spreads(
    rows: Sequence[tuple[UUID, str]], rates: Mapping[str, Decimal]
) -> dict[UUID, tuple[dict[str, str], int]]:
    """Where the inputs of those that are looked at lie, and for how many each of them stands."""
    each = _CHUNK // _LOOKED_AT if len(rows) == _CHUNK else 1
    keys = [key for key, _ in rows[::each]]
    return {key: (drift.spread_of(inputs, rates), each) for key, inputs in stored.inputs_of(keys).items()}
