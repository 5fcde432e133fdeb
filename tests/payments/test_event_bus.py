"""The event bus, against real servers: every event once and in order, whatever dies in between."""

import io
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from config.embedded.ports import any_free
from ledger.identifiers import encode, new_key
from payments import outbox
from payments.bus import registry
from payments.bus.contract import BusUnavailable, EventBus, Heard
from payments.bus.jetstream import JetStream
from payments.bus.redis_streams import RedisStreams
from payments.events import Told
from payments.models import OutboxDelivery, OutboxEvent
from tests.patience import PATIENCE

BINARY = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/usr/local/sbin")
needs_nats = pytest.mark.skipif(BINARY is None, reason="no nats-server is installed")


class Nats:
    """A server with file storage that can die."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, any_free()[0]
        self.url = f"nats://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(BINARY), "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("nats-server did not start")

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)  # until then it may still answer

    def kill(self) -> None:
        if self.process:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    server = Nats(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def prefix() -> str:
    return f"test-{new_key().hex[-12:]}"


@pytest.fixture(params=["redis", pytest.param("nats", marks=needs_nats)])
def bus(request: pytest.FixtureRequest, prefix: str, settings: Any) -> Iterator[EventBus]:
    used: EventBus
    if request.param == "redis":
        used = RedisStreams(settings.REDIS_URL, prefix=prefix, keep=10_000)
    else:
        used = JetStream(request.getfixturevalue("nats").url, prefix=prefix, keep=10_000)
    yield used
    used.close()


def told(number: int, subject: str = "ord_1") -> Told:
    return Told(
        sequence=number,
        id=encode("evt", new_key()),
        name="order.paid",
        subject=subject,
        payload={"reference": subject, "payable": number},
        happened_at=datetime.now(UTC),
        request_id="req-1",
    )


def heard(
    bus: EventBus, least: int, consumer: str = "reader", *, from_start: bool = True, most: int = 10_000
) -> list[Heard]:
    """At least so many, and what comes right after them."""
    found: list[Heard] = []
    end = time.monotonic() + PATIENCE
    for event in bus.follow(consumer=consumer, from_start=from_start, wait_seconds=0.3):
        if event is None:
            if len(found) >= least or time.monotonic() > end:
                break
            continue
        found.append(event)
        if len(found) == most:
            break
    return found


def bus_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "event bus"]


def test_every_event_once_and_in_order(bus: EventBus) -> None:
    events = [told(number) for number in range(250)]
    bus.publish(events[:200])
    bus.publish(events[100:])  # a relay that died before it noted what it had told

    found = heard(bus, 250)

    assert [event.id for event in found] == [event.id for event in events]
    first = found[0]
    assert (first.name, first.subject, first.body["data"]["payable"]) == ("order.paid", "ord_1", 0)
    assert first.body["request_id"] == "req-1"


def test_a_consumer_goes_on_where_it_left_off(bus: EventBus) -> None:
    bus.publish([told(number) for number in range(5)])
    begun = [event.body["sequence"] for event in heard(bus, 3, most=3)]
    bus.publish([told(5)])
    went_on = [event.body["sequence"] for event in heard(bus, 3)]
    # The third was in its hands when it stopped, so it comes again.
    assert (begun, went_on[-3:]) == ([0, 1, 2], [3, 4, 5])
    assert [event.body["sequence"] for event in heard(bus, 6, "another")] == [0, 1, 2, 3, 4, 5]


def test_a_new_consumer_hears_what_comes_from_now_on(bus: EventBus) -> None:
    bus.publish([told(1)])
    following = bus.follow(consumer="late", from_start=False, wait_seconds=0.2)
    assert next(following) is None
    bus.publish([told(2)])
    event = next(following)
    assert event is not None and event.body["sequence"] == 2


@needs_nats
def test_what_was_acknowledged_outlives_a_killed_server(
    tmp_path: Path, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = Nats(tmp_path)
    server.start()
    bus = JetStream(server.url, prefix=prefix, keep=10_000)
    try:
        events = [told(number) for number in range(120)]
        bus.publish(events[:80])
        server.kill()
        for _ in range(2):
            with pytest.raises(BusUnavailable):
                bus.publish(events[60:])
            assert bus_threads() == []  # nothing goes on trying by itself
        server.start()
        bus.publish(events[60:])
        assert [event.id for event in heard(bus, 120)] == [event.id for event in events]
        assert len([line for line in caplog.records if line.levelno >= logging.WARNING]) <= 1
    finally:
        bus.close()
        server.kill()
    assert bus_threads() == []


@needs_nats
def test_a_server_that_hangs_is_left_in_time(tmp_path: Path, prefix: str) -> None:
    server = Nats(tmp_path)
    server.start()
    bus = JetStream(server.url, prefix=prefix, keep=10_000)
    try:
        bus.publish([told(0)])
        server.freeze()
        begun = time.monotonic()
        with pytest.raises(BusUnavailable):
            bus.publish([told(1)])
        assert time.monotonic() - begun < 10
        assert bus_threads() == []
    finally:
        bus.close()
        server.kill()


@pytest.mark.django_db(transaction=True)
def test_the_relay_tells_a_bus_that_was_away_later(settings: Any, prefix: str, bus: EventBus) -> None:
    settings.EVENT_STREAMS = ["payments.subscribers.put_on_the_bus"]
    settings.EVENT_SUBSCRIBERS = {}
    settings.EVENT_BUS_URL = "redis://127.0.0.1:9/0"  # nobody there
    registry.bus.cache_clear()
    outbox._left_alone.clear()
    OutboxEvent.objects.create(name="order.paid", subject="ord_1", payload={"reference": "ord_1"})
    outbox.deliver_batch()
    assert OutboxDelivery.objects.waiting().count() == 1

    registry.bus.cache_clear()
    settings.EVENT_BUS_URL = settings.REDIS_URL if isinstance(bus, RedisStreams) else bus._url  # type: ignore[attr-defined]
    settings.EVENT_BUS_PREFIX = prefix
    OutboxDelivery.objects.update(next_try_at="2020-01-01T00:00:00Z")
    outbox.deliver_batch()

    assert not OutboxDelivery.objects.waiting().exists()
    printed = io.StringIO()
    call_command("follow_events", "--from-start", "--until-silent", "1", stdout=printed)
    [line] = printed.getvalue().splitlines()
    assert json.loads(line)["id"] == OutboxEvent.objects.get().public_id
    registry.bus().close()
    registry.bus.cache_clear()


def test_an_address_of_another_kind_is_refused(settings: Any) -> None:
    settings.EVENT_BUS_URL = "kafka://127.0.0.1"
    registry.bus.cache_clear()
    with pytest.raises(ValueError, match="redis:// or nats://"):
        registry.bus()
