"""Which bus: `redis://`, `rediss://` or `nats://` (`tls://`)."""

from functools import cache
from urllib.parse import urlsplit

from django.conf import settings

from payments.bus.contract import EventBus
from payments.bus.jetstream import JetStream
from payments.bus.redis_streams import RedisStreams


@cache
def bus() -> EventBus:
    """The bus of this process. Connects when it is first used."""
    url, prefix, keep = settings.EVENT_BUS_URL, settings.EVENT_BUS_PREFIX, settings.EVENT_BUS_KEEP
    match urlsplit(url).scheme:
        case "redis" | "rediss" | "unix":
            return RedisStreams(url, prefix=prefix, keep=keep)
        case "nats" | "tls":
            return JetStream(url, prefix=prefix, keep=keep)
        case scheme:
            raise ValueError(f"EVENT_BUS_URL begins with {scheme}://: use redis:// or nats://")
