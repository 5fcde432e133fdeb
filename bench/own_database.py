"""A PostgreSQL of a benchmark's own, with our tables, without the rest of the program."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django

from bench.frame import say
from config.embedded import ports, postgres
from tests.services import TEST_KEYS


@contextmanager
def own_database(*, durable: bool = True) -> Iterator[postgres.Cluster]:
    """Sets Django up on it. What is not `durable` does not wait for the disk."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    cluster = postgres.Cluster(folder / "postgres", ports.any_free()[0], "bench", durable=durable)
    cluster.create()
    with (folder / "postgres.log").open("wb") as log:
        server = cluster.start(log.fileno())
    try:
        cluster.wait(server)
        for name in ("bench", "hordak"):
            cluster.ensure_database(name, name, "bench")
        os.environ.update(TEST_KEYS)
        os.environ["SMART_CHECKOUT_DATA"] = str(folder / "data")
        os.environ["DATABASE_URL"] = cluster.url("bench", "bench", "bench")
        os.environ["REDIS_URL"] = "redis://127.0.0.1:9/0"
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
        django.setup()
        from django.core.management import call_command  # noqa: PLC0415 - needs settings

        call_command("migrate", verbosity=0)
        say(f"tables made in {folder}")
        yield cluster
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)
        shutil.rmtree(folder, ignore_errors=True)
