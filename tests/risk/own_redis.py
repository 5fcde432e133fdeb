"""A Redis of a test's own, which it may kill."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from config.embedded import ports
from config.embedded.redis import Server
from risk import histories
from tests.patience import PATIENCE


class OwnRedis:
    """A Redis that a test may kill; it forgets everything."""

    def __init__(self, directory: Path) -> None:
        self.server = Server(directory, ports.any_free()[0], "test", durable=False)
        self._log = (directory.parent / "redis.log").open("wb")
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._child = self.server.start(self._log.fileno())
        self.server.wait(self._child)
        _forget_misses()

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait(PATIENCE)
            self._child = None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """It takes questions meanwhile, and answers none of them."""
        assert self._child
        self._child.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._child.send_signal(signal.SIGCONT)

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
    _forget_misses()


def _forget_misses() -> None:
    histories._Rest.missed, histories._Rest.until = 0, 0.0
