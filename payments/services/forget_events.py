from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from payments.models import InboxEvent, OutboxEvent, WebhookMessage

_BATCH = 5_000


def forget_events(*, before: datetime) -> int:
    """This will delete what is done with since `before`: events that reached everybody, notifications that were
    applied, and webhooks with their tries. What waits, or is dead and waits for a person, stays. Returns how many.

    In batches, a transaction each, so that no long lock meets the relay. Safe to run twice at once.
    """
    tables = (OutboxEvent.objects, InboxEvent.objects, WebhookMessage.objects)
    return sum(_forget(table.forgettable(before)) for table in tables)


def _forget(rows: QuerySet[Any]) -> int:
    forgotten = 0
    while True:
        with transaction.atomic(durable=True):
            keys = list(rows.order_by().values_list("pk", flat=True)[:_BATCH])
            rows.model._default_manager.filter(pk__in=keys).delete()
        forgotten += len(keys)
        if len(keys) < _BATCH:
            return forgotten
