"""Events out: written and handled in the transaction in which they happen, delivered after it."""

from collections.abc import Callable
from datetime import timedelta
from functools import cache

import structlog
from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.module_loading import import_string

from payments.events import Event
from payments.models import OutboxEvent

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=30)


@cache
def _load(path: str) -> Callable[..., None]:
    return import_string(path)  # type: ignore[no-any-return]


def publish(event: Event) -> None:
    """Write the event and let its handlers act, all in the open transaction.

    A handler that raises takes the whole transaction with it: it may veto what is about to happen.
    """
    assert connection.in_atomic_block, "publish() belongs inside the transaction of what it tells"
    OutboxEvent.objects.create(name=event.name, subject=event.subject, payload=event.payload())
    for path in settings.EVENT_HANDLERS.get(event.name, ()):
        _load(path)(event)


def deliver_batch(limit: int = 100) -> int:
    """Deliver due events to their subscribers, at least once and in order per subject; returns how many were tried.

    No transaction is open while a subscriber works. A subscriber that raises is tried again later.
    """
    batch = OutboxEvent.objects.claim(timezone.now(), limit, LEASE)
    for row in batch:
        if row.leased_until is None or row.leased_until <= timezone.now():
            break  # too slow: another relay may have them by now, and what follows them
        try:
            for path in settings.EVENT_SUBSCRIBERS.get(row.name, ()):
                _load(path)(row.public_id, row.payload)
        except Exception as error:
            log.exception("outbox.delivery_failed", event_id=row.public_id, name=row.name)
            row.delivery_failed(repr(error))
        else:
            row.delivered()
    return len(batch)
