"""Events leave once a transaction is committed: in order per subject, and only by whoever holds their lease."""

import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import time_machine
from django.db import connection, transaction
from django.utils import timezone

from payments import outbox
from payments.events import Told
from payments.models import OutboxDelivery, OutboxEvent
from payments.services.forget_events import forget_events
from payments.services.replay_deliveries import replay_deliveries

pytestmark = pytest.mark.django_db(transaction=True)

DELIVERED: list[str] = []


def note(event: str, payload: dict[str, Any]) -> None:
    DELIVERED.append(payload["n"])


def slow(event: str, payload: dict[str, Any]) -> None:
    """The first takes longer than the lease; meanwhile another relay delivers what is free again."""
    if not DELIVERED:
        DELIVERED.append("slow")
        with time_machine.travel(timezone.now() + outbox.LEASE * 2):
            outbox.deliver_batch()
            CLOCK.append(time_machine.travel(timezone.now() + outbox.LEASE))
        CLOCK[0].start()
    else:
        DELIVERED.append(payload["n"])


CLOCK: list[Any] = []


HEARD: list[str] = []  # by the subscriber that may be broken
BROKEN: list[str] = []  # what it can not take


def breaks(event: str, payload: dict[str, Any]) -> None:
    if payload["n"] in BROKEN or "*" in BROKEN:
        raise RuntimeError(f"can not take {payload['n']}")
    HEARD.append(payload["n"])


def stream(events: Sequence[Told]) -> None:
    for told in events:
        breaks(told.id, told.payload)


def breaks_slowly(event: str, payload: dict[str, Any]) -> None:
    HEARD.append(payload["n"])
    time.sleep(0.05)
    raise TimeoutError("nobody answers")


NOTE, BREAKS, STREAM, SLOWLY = (
    f"tests.payments.test_outbox.{name}" for name in ("note", "breaks", "stream", "breaks_slowly")
)


@pytest.fixture(autouse=True)
def quiet(settings: Any) -> Any:
    settings.EVENT_STREAMS = []
    for kept in (DELIVERED, CLOCK, HEARD, BROKEN):
        kept.clear()
    outbox._left_alone.clear()
    yield
    for clock in CLOCK:
        clock.stop()


def events(*subjects: str) -> None:
    for number, subject in enumerate(subjects):
        OutboxEvent.objects.create(name="test.happened", subject=subject, payload={"n": f"{subject}{number}"})


def test_one_subject_in_turn(settings: Any) -> None:
    settings.EVENT_SUBSCRIBERS = {"test.happened": ["tests.payments.test_outbox.note"]}
    events("a", "a", "b")

    assert (outbox.deliver_batch(), DELIVERED) == (3, ["a0", "a1", "b2"])
    assert outbox.deliver_batch() == 0


def test_a_relay_that_was_too_slow_lets_go_of_the_rest(settings: Any) -> None:
    """Otherwise it would tell of `b1` after another relay has told of `b1` and of what followed it."""
    settings.EVENT_SUBSCRIBERS = {"test.happened": ["tests.payments.test_outbox.slow"]}
    events("a", "b")

    outbox.deliver_batch()

    assert DELIVERED.count("b1") == 1
    assert not OutboxEvent.objects.waiting().exists()


def later(**wait: float) -> Any:
    return time_machine.travel(timezone.now() + timedelta(**wait))


def told_later(seconds: float) -> int:
    with later(seconds=seconds):
        return outbox.deliver_batch()


@pytest.mark.parametrize("broken", [BREAKS, STREAM])
def test_a_broken_subscriber_neither_repeats_nor_stops_the_others(settings: Any, broken: str) -> None:
    settings.EVENT_SUBSCRIBERS = {"test.happened": [NOTE] if broken == STREAM else [BREAKS, NOTE]}
    settings.EVENT_STREAMS = [STREAM] if broken == STREAM else []
    BROKEN.append("*")
    events("a", "a", "b")

    outbox.deliver_batch()
    for _ in range(3):
        told_later(3)

    assert DELIVERED == ["a0", "a1", "b2"]
    assert HEARD == []
    assert not OutboxEvent.objects.waiting().exists()
    assert set(OutboxDelivery.objects.values_list("subscriber", flat=True)) == {broken}

    BROKEN.clear()
    for _ in range(2):
        told_later(3600)
    assert sorted(HEARD) == ["a0", "a1", "b2"] and HEARD.index("a0") < HEARD.index("a1")
    assert DELIVERED == ["a0", "a1", "b2"]


def test_what_follows_on_the_subject_waits_behind_what_one_subscriber_can_not_take(settings: Any) -> None:
    settings.EVENT_SUBSCRIBERS = {"test.happened": [BREAKS]}
    BROKEN.append("a0")
    events("a", "b")
    outbox.deliver_batch()
    events("a", "b")

    outbox.deliver_batch()

    assert HEARD == ["b1", "b1"]
    BROKEN.clear()
    told_later(2)
    told_later(2)
    assert HEARD == ["b1", "b1", "a0", "a0"]


def test_dead_after_its_last_try_and_no_longer_in_the_way(settings: Any) -> None:
    settings.EVENT_SUBSCRIBERS = {"test.happened": [BREAKS]}
    BROKEN.append("a0")
    events("a")
    outbox.deliver_batch()
    OutboxDelivery.objects.update(tries=10)
    told_later(2)
    dead = OutboxDelivery.objects.dead().get()
    assert "can not take a0" in dead.error

    BROKEN.clear()
    events("a")
    outbox.deliver_batch()
    assert HEARD == ["a0"]  # another event: the dead one holds nobody up

    HEARD.clear()
    assert replay_deliveries(deliveries=[dead.public_id], actor="user:1", reason="mended") == 1
    outbox.deliver_batch()
    assert HEARD == ["a0"]
    assert not OutboxDelivery.objects.dead().exists()


def test_one_that_fails_slowly_is_left_alone_for_a_while(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a mail server that does not answer would hold up everything else, event by event."""
    monkeypatch.setattr(outbox, "SLOW_SECONDS", 0.01)
    settings.EVENT_SUBSCRIBERS = {"test.happened": [SLOWLY, NOTE]}
    events("a", "b", "c")

    outbox.deliver_batch()

    assert HEARD == ["a0"]
    assert DELIVERED == ["a0", "b1", "c2"]
    assert sorted(OutboxDelivery.objects.values_list("tries", flat=True)) == [0, 0, 1]


def test_tries_are_spread() -> None:
    """What failed together does not come back together."""
    events(*"abcdefghij")
    rows = [
        OutboxDelivery(event=event, subscriber="x", subject=event.subject)
        for event in OutboxEvent.objects.all()
    ]
    for row in rows:
        row.failed("no")
    waits = {round((row.next_try_at - timezone.now()).total_seconds(), 2) for row in rows}
    assert len(waits) > 3 and all(0.7 < wait < 1.3 for wait in waits)


def test_two_relays_do_not_split_a_subject() -> None:
    events("a", "a", "a", "b")
    now = timezone.now()
    first = OutboxEvent.objects.claim(now, now + outbox.LEASE, 2)
    second = OutboxEvent.objects.claim(now, now + outbox.LEASE, 10)
    assert [told.subject for told in first] == ["a", "a"]
    assert [told.subject for told in second] == ["b"]


def test_a_sleeping_relay_is_rung_by_the_commit(settings: Any) -> None:
    settings.EVENT_SUBSCRIBERS = {}
    began = time.monotonic()
    timer = threading.Timer(0.2, _insert_elsewhere)
    timer.start()
    outbox.sleep_until_rung(10)
    assert 0.15 < time.monotonic() - began < 5
    timer.join()


def test_nobody_rings_for_a_relay_that_is_awake() -> None:
    """A notification makes commits wait for one another."""
    with psycopg.connect(_dsn(), autocommit=True) as listening:
        listening.execute("LISTEN outbox")
        events("a")
        assert list(listening.notifies(timeout=0.1)) == []


def test_a_writer_that_has_not_committed_keeps_the_relay_awake() -> None:
    with psycopg.connect(_dsn()) as writer:
        writer.execute(_INSERT)
        began = time.monotonic()
        outbox.sleep_until_rung(10)
        assert time.monotonic() - began < 5
        writer.rollback()


_INSERT = """INSERT INTO payments_outboxevent (event, name, subject, payload, created_at)
    VALUES (gen_random_uuid(), 'test.happened', 'x', '{}', now())"""


def _dsn() -> str:
    found = connection.get_connection_params()
    return psycopg.conninfo.make_conninfo(
        **{k: found[k] for k in ("host", "port", "user", "password", "dbname")}
    )


def _insert_elsewhere() -> None:
    with psycopg.connect(_dsn()) as writer:
        writer.execute(_INSERT)


def test_old_events_are_forgotten_once_everybody_has_heard_of_them(settings: Any) -> None:
    settings.EVENT_SUBSCRIBERS = {"test.happened": [BREAKS]}
    BROKEN.append("b1")
    events("a", "b")
    outbox.deliver_batch()
    assert forget_events(before=timezone.now() - timedelta(days=1)) == 0
    assert forget_events(before=timezone.now() + timedelta(days=1)) == 1
    assert OutboxEvent.objects.get().subject == "b"


def test_an_event_needs_the_transaction_of_what_it_tells(settings: Any) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        events("a")
        raise RuntimeError("undone")
    assert not OutboxEvent.objects.exists()
