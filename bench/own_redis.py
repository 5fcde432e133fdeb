"""A Redis of a benchmark's own, which settings then name."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from config.embedded import ports
from config.embedded.redis import Server


@contextmanager
def own_redis() -> Iterator[None]:
    """Empty, and patient: what is measured is not how busy the machine is."""
    with tempfile.TemporaryDirectory(prefix="bench-redis-") as folder:
        server = Server(Path(folder) / "redis", ports.any_free()[0], "bench", durable=False)
        with (Path(folder) / "log").open("wb") as log:
            child = server.start(log.fileno())
        try:
            server.wait(child)
            settings.REDIS_URL, settings.RISK_REDIS_MS = server.url(), 2000
            yield
        finally:
            child.terminate()
            child.wait(30)
