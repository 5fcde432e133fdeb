"""Events out: written and handled in the transaction in which they happen, delivered after it.

A subscriber of `EVENT_SUBSCRIBERS` is called for each event by its public identifier and payload, a stream of
`EVENT_STREAMS` for many events at once (`Told`). Both may hear of an event twice, and both must be quick: they write
a row or queue a task. No transaction is open while they work.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache

import structlog
from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.module_loading import import_string

from ledger.audit import current_request_id
from payments.events import Event, Told
from payments.models import OutboxDelivery, OutboxEvent
from payments.models.outbox import CHANNEL, SLEEPS

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=30)
# A subscriber that takes so long to fail would hold up the others if it were asked again at once.
SLOW_SECONDS = 1.0
LEFT_ALONE = timedelta(seconds=10)
_left_alone: dict[str, float] = {}  # subscriber → monotonic time until which it is not asked


class _LeftAlone(Exception):
    """It failed slowly a moment ago."""


@cache
def _load(path: str) -> Callable[..., None]:
    return import_string(path)  # type: ignore[no-any-return]


def publish(event: Event) -> None:
    """Write the event and let its handlers act, all in the open transaction.

    A handler that raises takes the whole transaction with it: it may veto what is about to happen.
    """
    assert connection.in_atomic_block, "publish() belongs inside the transaction of what it tells"
    OutboxEvent.objects.create(
        name=event.name,
        subject=event.subject,
        payload=event.payload(),
        request_id=current_request_id.get()[:80],
    )
    tell_handlers(event)


def tell_handlers(event: Event) -> None:
    """Let the event's handlers act in the open transaction, which is told nobody else. They bear hearing it twice."""
    assert connection.in_atomic_block, "tell_handlers() belongs inside a transaction"
    for path in settings.EVENT_HANDLERS.get(event.name, ()):
        _load(path)(event)


def deliver_batch(limit: int = 200) -> int:
    """Deliver due events to their subscribers, at least once and in order per subject; returns how many were tried.

    A subscriber that raises is tried again later, alone, and whatever follows on the subject waits for it alone.
    """
    return _deliver_again(limit) + _deliver_new(limit)


def _deliver_new(limit: int) -> int:
    until = timezone.now() + LEASE
    batch = OutboxEvent.objects.claim(timezone.now(), until, limit)
    if not batch:
        return 0
    lines = OutboxDelivery.objects.lines(told.subject for told in batch)
    parked = [
        _parked(told, path, "", None)
        for told in batch
        for path in _subscribers(told.name)
        if (path, told.subject) in lines
    ]
    for path in settings.EVENT_STREAMS:
        free = [told for told in batch if (path, told.subject) not in lines]
        if error := _told_all(path, free) if free else None:
            parked += [_parked(told, path, repr(error), error) for told in free]
    done: list[int] = []
    for told in batch:
        if until <= timezone.now():
            break  # too slow: another relay may have them by now, and what follows them
        for path in settings.EVENT_SUBSCRIBERS.get(told.name, ()):
            if (path, told.subject) not in lines and (error := _told_one(path, told)):
                parked.append(_parked(told, path, repr(error), error))
                lines.add((path, told.subject))
                parked += _behind(told, path, batch)
        done.append(told.sequence)
    _settle(parked, done, until)
    return len(batch)


def _behind(told: Told, path: str, batch: Iterable[Told]) -> list[OutboxDelivery]:
    """What follows on the subject and is meant for the subscriber that has just failed."""
    return [
        _parked(later, path, "", None)
        for later in batch
        if later.sequence > told.sequence
        and later.subject == told.subject
        and path in settings.EVENT_SUBSCRIBERS.get(later.name, ())
    ]


def _settle(parked: Iterable[OutboxDelivery], done: Sequence[int], until: datetime) -> None:
    """In this order: a crash between the two makes an event heard twice, the other way round it would be lost."""
    finished = set(done)
    kept = [row for row in parked if row.event_id in finished]
    if kept:
        OutboxDelivery.objects.bulk_create(kept, ignore_conflicts=True)
    OutboxEvent.objects.handed_out(done, until)


def _parked(told: Told, path: str, reason: str, error: Exception | None) -> OutboxDelivery:
    row = OutboxDelivery(event_id=told.sequence, subscriber=path, subject=told.subject)
    if isinstance(error, _LeftAlone):
        row.put_back(LEFT_ALONE)
    elif error:
        row.failed(reason)
    return row


def _deliver_again(limit: int) -> int:
    now = time.monotonic()
    alone = [path for path, until in _left_alone.items() if now < until]
    until = timezone.now() + LEASE
    rows = OutboxDelivery.objects.claim(timezone.now(), until, limit, left_alone=alone)
    by_path: dict[str, list[OutboxDelivery]] = defaultdict(list)
    for row in rows:
        by_path[row.subscriber].append(row)
    for path, its_rows in by_path.items():
        many = path in settings.EVENT_STREAMS
        for some in [its_rows] if many else [[row] for row in its_rows]:
            if until <= timezone.now():
                return len(rows)  # too slow, as above
            told = [row.event.told() for row in some]
            _settle_again(some, _told_all(path, told) if many else _told_one(path, told[0]))
    return len(rows)


def _settle_again(rows: list[OutboxDelivery], error: Exception | None) -> None:
    if error is None:
        OutboxDelivery.objects.reached(rows)
        return
    for row in rows:
        if isinstance(error, _LeftAlone):
            row.put_back(LEFT_ALONE)
        else:
            row.failed(repr(error))
            if row.dead_at:
                log.error("outbox.delivery_dead", event_id=row.event.public_id, subscriber=row.subscriber)
        row.store()


def _subscribers(name: str) -> list[str]:
    return [*settings.EVENT_STREAMS, *settings.EVENT_SUBSCRIBERS.get(name, ())]


def _told_all(path: str, events: Sequence[Told]) -> Exception | None:
    return _attempt(path, lambda: _load(path)(events), events[0].id)


def _told_one(path: str, told: Told) -> Exception | None:
    return _attempt(path, lambda: _load(path)(told.id, told.payload), told.id)


def _attempt(path: str, call: Callable[[], None], event: str) -> Exception | None:
    """What went wrong, if anything did."""
    began = time.monotonic()
    if began < _left_alone.get(path, 0):
        return _LeftAlone(path)
    try:
        call()
    except Exception as error:
        log.exception("outbox.delivery_failed", event_id=event, subscriber=path)
        if time.monotonic() - began > SLOW_SECONDS:
            _left_alone[path] = time.monotonic() + LEFT_ALONE.total_seconds()
        return error
    return None


def sleep_until_rung(seconds: float) -> None:
    """Wait until somebody commits an event, at most so long (what is to be tried again rings no bell).

    Whoever sleeps holds a lock that writers of events try to share; only one that can not share it rings. A writer
    that could, and has not committed yet, keeps the relay awake: it will look again at once.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}; SELECT pg_try_advisory_lock(%s)", [SLEEPS])
        cursor.nextset()
        if not cursor.fetchone()[0]:
            time.sleep(_SHORT_SECONDS)
            return
        try:
            # Committed before the lock was ours, without a bell.
            if not OutboxEvent.objects.waiting().filter(leased_until=None).exists():
                with connection.wrap_database_errors:
                    list(connection.connection.notifies(timeout=seconds, stop_after=1))
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [SLEEPS])


_SHORT_SECONDS = 0.02
