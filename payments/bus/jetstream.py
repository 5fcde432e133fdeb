"""NATS JetStream: one stream with a subject for each event's name, `smartcheckout.order.paid`.

The client is asynchronous; each connection lives on a loop of its own in a thread of this process, and ends with it:
the first error drops the connection, its tasks, its loop and its thread, and the next publish makes a new one.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, Self, TypeVar

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from payments.bus.contract import DEDUPE_SECONDS, BusUnavailable, Heard, encoded, heard
from payments.events import Told

_TIMEOUT_SECONDS = 2.0
log = structlog.get_logger(__name__)
T = TypeVar("T")


class Connection:
    """One connection, never mended: who meets an error closes it. All waits end, whatever the server does."""

    def __init__(self) -> None:
        self._client = Client()
        self._opened = self._complained = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._live, name="event bus", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._client.is_connected

    @property
    def stream(self) -> Any:
        return self._client.jetstream(timeout=_TIMEOUT_SECONDS)

    def open(self, url: str, stream: StreamConfig) -> Self:
        """The stream is there, and as configured, before anything is sent."""
        try:
            self.run(self._open(url, stream), _TIMEOUT_SECONDS * 2)
        except BaseException:
            self.close()
            raise
        return self

    def run(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """Raises `BusUnavailable`. What takes too long is cancelled, not left to go on by itself."""
        future = asyncio.run_coroutine_threadsafe(self._bounded(work, seconds), self._loop)
        try:
            return future.result(seconds + _TIMEOUT_SECONDS)
        except (NatsError, TimeoutError, OSError, CancelledError) as error:
            raise BusUnavailable(f"NATS: {type(error).__name__} {error}") from error

    def close(self) -> None:
        with suppress(BusUnavailable, AssertionError):  # the client asserts that it ever began to connect
            self.run(self._client.close(), _TIMEOUT_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_TIMEOUT_SECONDS)

    async def _bounded(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        async with asyncio.timeout(seconds):
            return await work

    async def _open(self, url: str, config: StreamConfig) -> None:
        # The client tries a first connection again and again even where it may not reconnect. Of the attempts, 0 means
        # without end and 1 means two.
        await self._client.connect(
            url,
            connect_timeout=_TIMEOUT_SECONDS,  # type: ignore[arg-type]
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            error_cb=self._complain,
        )
        stream = self.stream
        try:
            await stream.update_stream(config)
        except NotFoundError:
            await stream.add_stream(config)
        self._opened = True

    async def _complain(self, error: Exception) -> None:
        """Once for each connection; while it opens, whoever opens it is told."""
        if self._opened and not self._complained:
            self._complained = True
            log.warning("bus.cut_off", error=f"{type(error).__name__} {error}")

    def _live(self) -> None:
        self._loop.run_forever()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        if left:
            self._loop.run_until_complete(asyncio.wait(left, timeout=_TIMEOUT_SECONDS))
        self._loop.close()


class JetStream:
    def __init__(self, url: str, *, prefix: str, keep: int) -> None:
        self._url, self._prefix = url, prefix
        self._stream = StreamConfig(
            name=prefix,
            subjects=[f"{prefix}.>"],
            storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS,
            max_msgs=keep,
            duplicate_window=DEDUPE_SECONDS,
        )
        self._connection: Connection | None = None
        self._publishing = threading.Lock()

    def publish(self, events: Sequence[Told]) -> None:
        with self._publishing:
            connection = self._connected()
            try:
                connection.run(self._publish(connection.stream, events), _TIMEOUT_SECONDS * 2)
            except BaseException:
                self._drop()  # it may look alive for minutes
                raise

    def follow(self, *, consumer: str, from_start: bool, wait_seconds: float) -> Iterator[Heard | None]:
        connection = Connection().open(self._url, self._stream)
        try:
            yield from self._follow(connection, consumer, from_start, wait_seconds)
        finally:
            connection.close()

    def close(self) -> None:
        with self._publishing:
            self._drop()

    def _connected(self) -> Connection:
        if self._connection is None or not self._connection.alive:
            self._drop()
            self._connection = Connection().open(self._url, self._stream)
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _follow(
        self, connection: Connection, consumer: str, from_start: bool, wait_seconds: float
    ) -> Iterator[Heard | None]:
        subscribing = self._subscribe(connection.stream, consumer, from_start)
        subscription = connection.run(subscribing, _TIMEOUT_SECONDS * 2)
        while True:
            message = connection.run(self._next(subscription, wait_seconds), wait_seconds + _TIMEOUT_SECONDS)
            if message is None:
                yield None
                continue
            try:
                yield heard(message.data, message)
            except GeneratorExit:
                with suppress(BusUnavailable):  # at once to whoever follows next, or else after a while
                    connection.run(message.nak(), _TIMEOUT_SECONDS)
                raise
            connection.run(message.ack_sync(_TIMEOUT_SECONDS), _TIMEOUT_SECONDS * 2)

    async def _publish(self, stream: Any, events: Sequence[Told]) -> None:
        """Sent in order, acknowledged all together: the server appends what one connection sends in that order."""
        acknowledged = [
            await stream.publish_async(
                f"{self._prefix}.{event.name}",
                encoded(event),
                wait_stall=_TIMEOUT_SECONDS,
                headers={"Nats-Msg-Id": event.id, "subject": event.subject, "request-id": event.request_id},
            )
            for event in events
        ]
        await asyncio.wait_for(asyncio.gather(*acknowledged), _TIMEOUT_SECONDS)

    async def _subscribe(self, stream: Any, consumer: str, from_start: bool) -> Any:
        try:
            await stream.consumer_info(self._prefix, consumer)
        except NotFoundError:
            policy = DeliverPolicy.ALL if from_start else DeliverPolicy.NEW
            config = ConsumerConfig(
                durable_name=consumer,
                deliver_policy=policy,
                ack_policy=AckPolicy.EXPLICIT,
                max_ack_pending=1000,
            )
            await stream.add_consumer(self._prefix, config)
        return await stream.pull_subscribe_bind(consumer, self._prefix)

    async def _next(self, subscription: Any, wait_seconds: float) -> Any:
        try:
            [message] = await subscription.fetch(1, timeout=wait_seconds)
            return message
        except TimeoutError:
            return None
