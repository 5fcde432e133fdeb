"""Count decisions for whoever watches by machine."""

from datetime import datetime, timedelta

from django.db import transaction

from risk import stored
from risk.models import DecisionCount, Reader

_CHUNK = 20_000
_MOST_CHUNKS = 10  # the next run goes on
_FIRST = timedelta(days=1)  # older ones were nobody's to watch


def count_decisions(*, now: datetime) -> None:
    """This will count what was decided since it last did, by stage, action and what was wanting.

    Each decision counts once, two minutes late: a chunk and how far it reaches are one transaction, which locks the
    reader.
    """
    for _ in range(_MOST_CHUNKS):
        with transaction.atomic(durable=True):
            reader = Reader.objects.of("decision_counts")
            last = DecisionCount.objects.take_in(
                after=reader.through or stored.key_before(now - _FIRST),
                before=stored.key_before(now - stored.SETTLED),
                most=_CHUNK,
            )
            if last is None:
                return
            reader.advance(last)
