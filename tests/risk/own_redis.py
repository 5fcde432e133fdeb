"""A Redis of a test's own, which it may kill."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.embedded import ports
from config.embedded.redis import Server
from risk import histories


class OwnRedis:
    """A Redis that a test may kill; it forgets everything."""

    def __init__(self, directory: Path) -> None:
        self.server = Server(directory, ports.any_free()[0], "test", durable=False)
        self._log = (directory.parent / "redis.log").open("wb")
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._child = self.server.start(self._log.fileno())
        self.server.wait(self._child)
        histories._Rest.until = 0.0

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait(10)
            self._child = None

    def close(self) -> None:
        self.kill()
        self._log.close()


@pytest.fixture
def own_redis(tmp_path: Path, settings: Any) -> Iterator[OwnRedis]:
    """Empty, and patient: the machine that tests run on has other work."""
    own = OwnRedis(tmp_path / "redis")
    own.start()
    settings.REDIS_URL, settings.RISK_REDIS_MS = own.server.url(), 2000
    for made in (histories._client, histories._scripts):
        made.cache_clear()
    yield own
    own.close()
    for made in (histories._client, histories._scripts):
        made.cache_clear()
    histories._Rest.until = 0.0
