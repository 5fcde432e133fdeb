"""How long a queue is."""

from typing import Any

from django.db.models import Count, Min, Q, QuerySet

from ledger.facts import OpenWork

_NEVER = Q(pk__in=[])


def open_work(rows: QuerySet[Any], *, since: str, late: Q = _NEVER) -> OpenWork:
    """Of what waits in `rows` since the moment in its field `since`. One statement."""
    told = rows.order_by().aggregate(count=Count("pk"), oldest=Min(since), late=Count("pk", filter=late))
    return OpenWork(told["count"], told["oldest"], told["late"])
