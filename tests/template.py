"""A cluster with a migrated database, made once and kept under var/: test databases are copies of that database.

Kept by the name of everything it was made from: every migration, what migrations import from us, the keys of the tests
and every installed package. Django still migrates each copy, so what follows migrations happens in each.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import distributions
from pathlib import Path

from config.embedded import ports, postgres
from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "var" / "tests"
DATABASE = "as_migrated"
PASSWORD = "test"
_LONG_UNUSED = 7 * 24 * 3600.0
_OURS = re.compile(
    r"^(?:from|import) ((?:config|reconciliation|checkout|payments|risk|ledger)(?:\.\w+)*)", re.M
)
_FROM = re.compile(r"^from ([a-z]+) import (\w+)$", re.M)


def provide(cluster: postgres.Cluster, keys: dict[str, str]) -> None:
    """Fill the cluster's empty place with a copy of the kept cluster, which is made when there is none.

    `keys` are what rows of migrations may be made with; they are in the environment.
    """
    kept = KEPT / name(keys)
    if not kept.exists():
        _forget_old()
        _make(kept)
    os.utime(kept)
    shutil.copytree(kept / "postgres", cluster.directory)
    cluster.adopt()


def _make(kept: Path) -> None:
    unfinished = kept.with_name(f"{kept.name}.{os.getpid()}")
    cluster = postgres.Cluster(unfinished / "postgres", ports.any_free()[0], PASSWORD, durable=False)
    cluster.create()
    try:
        with (unfinished / "log").open("wb") as log:
            server = cluster.start(log.fileno())
        cluster.wait(server)
        cluster.ensure_database(DATABASE, postgres.SUPERUSER, PASSWORD)
        url = cluster.url(postgres.SUPERUSER, PASSWORD, DATABASE)
        command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "DATABASE_URL": url}, check=True)
        # A clean end: what is copied needs no recovery.
        server.send_signal(signal.SIGINT)
        server.wait(PATIENCE)
        with suppress(OSError):
            # Another run may have been quicker.
            unfinished.rename(kept)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _forget_old() -> None:
    for path in KEPT.iterdir() if KEPT.exists() else ():
        if time.time() - path.stat().st_mtime > _LONG_UNUSED:
            shutil.rmtree(path, ignore_errors=True)


def name(keys: dict[str, str]) -> str:
    told = hashlib.sha256(repr((sys.version, sorted(keys.items()))).encode())
    told.update(repr(sorted({(package.name, package.version) for package in distributions()})).encode())
    for path in sources():
        told.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return told.hexdigest()[:16]


def sources() -> Iterator[Path]:
    """Migrations, and what they import from us: some seed what a module tells."""
    migrations = sorted(ROOT.glob("*/migrations/*.py"))
    yield from migrations
    modules: set[str] = set()
    for path in migrations:
        text = path.read_text(encoding="utf-8")
        modules |= {*_OURS.findall(text), *map(".".join, _FROM.findall(text))}
    for module in sorted(modules):
        path = ROOT / f"{module.replace('.', '/')}.py"
        if path.exists():
            yield path
