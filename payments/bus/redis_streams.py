"""One Redis stream, `<prefix>:events`, cut to about the newest `EVENT_BUS_KEEP` events."""

from collections.abc import Iterator, Sequence
from typing import Any

import redis

from payments.bus.contract import DEDUPE_SECONDS, BusUnavailable, Heard, encoded, heard
from payments.events import Told

# Appends each event unless one of its id was appended lately, all in one step.
_APPEND = """
for i = 3, #ARGV, 5 do
    if redis.call('SET', KEYS[1] .. ':seen:' .. ARGV[i], 1, 'NX', 'EX', ARGV[1]) then
        redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'id', ARGV[i], 'type', ARGV[i + 1],
            'subject', ARGV[i + 2], 'request_id', ARGV[i + 3], 'body', ARGV[i + 4])
    end
end
"""
_TIMEOUT_SECONDS = 5.0
_READ_AT_ONCE = 100


class RedisStreams:
    def __init__(self, url: str, *, prefix: str, keep: int) -> None:
        self._redis = redis.Redis.from_url(
            url, socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS
        )
        self._stream = f"{prefix}:events"
        self._keep = keep
        self._append = self._redis.register_script(_APPEND)

    def publish(self, events: Sequence[Told]) -> None:
        told = [
            part
            for event in events
            for part in (event.id, event.name, event.subject, event.request_id, encoded(event))
        ]
        try:
            self._append(keys=[self._stream], args=[DEDUPE_SECONDS, self._keep, *told])
        except redis.RedisError as error:
            raise BusUnavailable(f"Redis: {type(error).__name__}") from error

    def follow(self, *, consumer: str, from_start: bool, wait_seconds: float) -> Iterator[Heard | None]:
        try:
            start = "0" if from_start else "$"
            self._redis.xgroup_create(self._stream, consumer, id=start, mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        # First what was handed to us before and never acknowledged.
        yield from self._read(consumer, "0", None)
        while True:
            any_came = False
            for event in self._read(consumer, ">", wait_seconds):
                any_came = True
                yield event
            if not any_came:
                yield None

    def close(self) -> None:
        self._redis.close()

    def _read(self, consumer: str, after: str, wait_seconds: float | None) -> Iterator[Heard]:
        block = None if wait_seconds is None else max(1, int(wait_seconds * 1000))
        while True:
            found: Any = self._redis.xreadgroup(
                consumer, consumer, {self._stream: after}, count=_READ_AT_ONCE, block=block
            )
            entries = found[0][1] if found else []
            for mark, fields in entries:
                yield heard(fields[b"body"], mark)
                self._redis.xack(self._stream, consumer, mark)
            if not entries or after == ">":
                return
