"""PostgreSQL and Redis for one test run: started once by the process that the person started, shared by its workers.

`DATABASE_URL` and `REDIS_URL` in the environment are used instead. Each worker has its own test database
(pytest-django adds the worker's name) and its own Redis database.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from config.embedded import ports, postgres, redis
from config.translations import compile_into
from tests import template
from tests.patience import PATIENCE

_WORKER = "PYTEST_XDIST_WORKER"
_REDIS_BASE = "SMART_CHECKOUT_TEST_REDIS"
_TEMPLATE = "SMART_CHECKOUT_TEST_TEMPLATE"

# Keys of the tests only: everything that `manage.py up` would have generated.
TEST_KEYS = {
    "SECRET_KEY": "only-for-tests-" + "s" * 40,
    "RISK_ENTITY_KEY": "only-for-tests-" + "r" * 40,
    "AUDIT_HMAC_KEY": "only-for-tests-" + "a" * 40,
    "QUOTE_KEYS": "test=" + "71" * 32,
    "VAULT_KEYS": "test=" + "dmF1" * 10 + "dmE=",
    "PUBLIC_URL": "http://testserver",
    "ALLOWED_HOSTS": "testserver,127.0.0.1,localhost",
}


@dataclass(slots=True)
class Services:
    """What this process started and must end."""

    directory: Path | None = None
    children: list[tuple[subprocess.Popen[bytes], signal.Signals]] = field(default_factory=list)

    def stop(self) -> None:
        for child, stop_signal in self.children:
            child.send_signal(stop_signal)
        for child, _ in self.children:
            child.wait(PATIENCE)
        self.children.clear()
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)


def template_database() -> str | None:
    """What test databases are copied from; nothing where a database of somebody else's is used."""
    return os.environ.get(_TEMPLATE)


def provide() -> Services:
    """Set the environment that settings read; start what it does not name. Workers only pick their Redis database."""
    services = Services()
    if worker := os.environ.get(_WORKER):
        number = int(re.sub(r"\D", "", worker)) + 1
        os.environ["REDIS_URL"] = re.sub(r"/\d*$", f"/{number}", os.environ[_REDIS_BASE])
        return services
    services.directory = Path(tempfile.mkdtemp(prefix="smart-checkout-tests-"))
    os.environ.update(TEST_KEYS)
    # An empty data folder: settings must not pick up the keys of a running demo.
    os.environ["SMART_CHECKOUT_DATA"] = str(services.directory / "data")
    (services.directory / "data" / "static").mkdir(parents=True)
    compile_into(Path(__file__).parent.parent / "config" / "locale", services.directory / "data" / "locale")
    if "REDIS_URL" not in os.environ:
        _start_redis(services, services.directory)
    if "DATABASE_URL" not in os.environ:
        _start_postgres(services, services.directory)
    os.environ[_REDIS_BASE] = re.sub(r"(:\d+)/?$", r"\1/0", os.environ["REDIS_URL"])
    return services


def _start_postgres(services: Services, directory: Path) -> None:
    cluster = postgres.Cluster(directory / "postgres", ports.any_free()[0], template.PASSWORD, durable=False)
    template.provide(cluster, TEST_KEYS)
    with (directory / "postgres.log").open("wb") as log:
        server = cluster.start(log.fileno())
    services.children.append((server, signal.SIGQUIT))
    cluster.wait(server)
    os.environ["DATABASE_URL"] = cluster.url(postgres.SUPERUSER, template.PASSWORD, "smart_checkout")
    os.environ[_TEMPLATE] = template.DATABASE


def _start_redis(services: Services, directory: Path) -> None:
    server = redis.Server(directory / "redis", ports.any_free()[0], "test", durable=False)
    with (directory / "redis.log").open("wb") as log:
        child = server.start(log.fileno())
    services.children.append((child, signal.SIGTERM))
    server.wait(child)
    os.environ["REDIS_URL"] = server.url()
