"""NATS JetStream: one stream with a subject for each event's name, `smartcheckout.order.paid`.

The client is asynchronous; it lives on a loop of its own in a thread of this process.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import nats
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from payments.bus.contract import DEDUPE_SECONDS, BusUnavailable, Heard, encoded, heard
from payments.events import Told

_TIMEOUT_SECONDS = 2.0
T = TypeVar("T")


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
        self._client: Any = None
        self._opening = asyncio.Lock()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="event bus", daemon=True).start()

    def publish(self, events: Sequence[Told]) -> None:
        try:
            self._run(self._publish(events), _TIMEOUT_SECONDS * 2)
        except (NatsError, TimeoutError, OSError) as error:
            self._run(self._drop(), _TIMEOUT_SECONDS)  # it may look alive for minutes
            raise BusUnavailable(f"NATS: {type(error).__name__} {error}") from error

    def follow(self, *, consumer: str, from_start: bool, wait_seconds: float) -> Iterator[Heard | None]:
        subscription = self._run(self._subscribe(consumer, from_start), _TIMEOUT_SECONDS * 2)
        while True:
            message = self._run(self._next(subscription, wait_seconds), wait_seconds + _TIMEOUT_SECONDS)
            if message is None:
                yield None
                continue
            try:
                yield heard(message.data, message)
            except GeneratorExit:
                self._run(message.nak(), _TIMEOUT_SECONDS)  # at once to whoever follows next
                raise
            self._run(message.ack_sync(_TIMEOUT_SECONDS), _TIMEOUT_SECONDS * 2)

    async def _publish(self, events: Sequence[Told]) -> None:
        """Sent in order, acknowledged all together: the server appends what one connection sends in that order."""
        stream = await self._connected()
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

    async def _subscribe(self, consumer: str, from_start: bool) -> Any:
        stream = await self._connected()
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

    async def _connected(self) -> Any:
        """One connection for good; the stream is there, and as configured, before anything is sent."""
        async with self._opening:
            if self._client is None or not self._client.is_connected:
                client = await nats.connect(
                    self._url, connect_timeout=_TIMEOUT_SECONDS, allow_reconnect=False
                )
                self._client = client
                await self._ensure_stream(client.jetstream(timeout=_TIMEOUT_SECONDS))
            return self._client.jetstream(timeout=_TIMEOUT_SECONDS)

    async def _drop(self) -> None:
        async with self._opening:
            client, self._client = self._client, None
            if client is not None:
                with suppress(NatsError, TimeoutError, OSError):
                    await client.close()

    async def _ensure_stream(self, stream: Any) -> None:
        try:
            await stream.update_stream(self._stream)
        except NotFoundError:
            await stream.add_stream(self._stream)

    def _run(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)
