"""The programs of one copy and how to start each."""

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from config.embedded import ports, postgres, process, redis
from config.embedded.folder import DataFolder
from config.embedded.supervisor import Part

Starter = Callable[[int], subprocess.Popen[bytes]]
# One for all questions, because a client reads the certificates of the world first; each on a new connection.
_HTTP = httpx.Client(timeout=5, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))

_CLEAN_SECONDS = 60.0  # that a server of data may take to write down what it has


@dataclass(frozen=True, slots=True)
class Programs:
    """Python programs of the project, run in `base` with `environment`."""

    base: Path
    environment: Mapping[str, str]
    bind: str
    port: int

    def module(self, *command: str) -> Starter:
        return self._starter([sys.executable, "-m", *command])

    def manage(self, *command: str) -> Starter:
        return self._starter([sys.executable, str(self.base / "manage.py"), *command])

    def _starter(self, command: Sequence[str]) -> Starter:
        def start(log: int) -> subprocess.Popen[bytes]:
            return process.spawn(command, cwd=self.base, env=self.environment, output=log)

        return start

    def web(self) -> Part:
        bind = f"{self.bind}:{self.port}"
        start = self.module("gunicorn", "config.wsgi", "--config", "python:config.gunicorn", "--bind", bind)
        return Part("web", start, lambda: _status(f"http://127.0.0.1:{self.port}/health") == 200)

    def worker(self) -> Part:
        # Alone on its queue, so it need not compare notes with other workers at its start.
        quick = ("--without-mingle", "--without-gossip")
        start = self.module(
            "celery", "--app=config.celery", "worker", "--concurrency=2", "--loglevel=INFO", *quick
        )
        # `/health/ready` speaks for the worker (its heartbeat) and for the relay (the outbox's lag).
        return Part("worker", start, lambda: _status(f"http://127.0.0.1:{self.port}/health/ready") == 200)

    def beat(self) -> Part:
        options = (
            "--scheduler=django_celery_beat.schedulers:DatabaseScheduler",
            "--pidfile=",
            "--loglevel=INFO",
        )
        return Part("beat", self.module("celery", "--app=config.celery", "beat", *options), lambda: True)

    def relay(self) -> Part:
        return Part("relay", self.manage("relay", "--skip-checks"), lambda: True)


def sandbox(programs: Programs, folder: DataFolder, port: int) -> Part:
    start = programs.module("sandbox", "--data", str(folder.path / "sandbox"), "--port", str(port))
    health = f"http://127.0.0.1:{port}/control/health"
    return Part("sandbox", start, lambda: _status(health) == 200, foundation=True)


def database(cluster: postgres.Cluster) -> Part:
    def start(log: int) -> subprocess.Popen[bytes]:
        cluster.adopt()
        return cluster.start(log)

    return Part(
        "postgres",
        start,
        cluster.answers,
        stop_signal=signal.SIGINT,
        foundation=True,
        grace=_CLEAN_SECONDS,
    )


def broker(server: redis.Server) -> Part:
    return Part("redis", server.start, server.answers, foundation=True, grace=_CLEAN_SECONDS)


def _status(url: str) -> int:
    if not ports.answers(httpx.URL(url).port or 80):
        return 0
    try:
        return _HTTP.get(url).status_code
    except httpx.HTTPError:
        return 0
