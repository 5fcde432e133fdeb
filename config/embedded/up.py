"""`manage.py up`: everything between a bare machine and `Ready:`, under one supervisor.

It runs before Django has settings: it makes the data folder that settings read, then starts the parts with it.
"""

import argparse
import os
import sys
import time
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from config.embedded import onboarding, parts, ports, postgres, process, redis, secrets
from config.embedded.errors import CannotStart, Interrupted
from config.embedded.folder import DataFolder, Lock, describe
from config.embedded.supervisor import Supervisor

BASE = Path(__file__).resolve().parent.parent.parent
DATABASE = "smart_checkout"
_PATIENCE_AFTER_KILL = 20.0  # seconds for the parts of a killed run to leave


def main(arguments: Sequence[str]) -> int:
    # Lines must appear when they are written, also in a pipe.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        copy = Copy.asked(arguments)
        copy.run()
    except CannotStart as error:
        print(f"up: {error}", file=sys.stderr)
        return 1
    except (process.NoOrdinaryAccount, postgres.PostgresFailed, redis.RedisFailed) as error:
        print(f"up: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"up: {error.filename or 'the data folder'}: {describe(error)}", file=sys.stderr)
        return 1
    return 0


def say(text: str) -> None:
    try:
        print(text)
    except OSError:
        # The terminal is closed. From here on nobody reads, and that is no reason to fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@dataclass(slots=True)
class Copy:
    """One running copy of the whole program: its data folder and its four ports in a row."""

    folder: DataFolder
    port: int
    bind: str
    open_browser: bool
    secrets: dict[str, str] = field(default_factory=dict)

    @classmethod
    def asked(cls, arguments: Sequence[str]) -> "Copy":
        parser = argparse.ArgumentParser(
            prog="manage.py up", description="Start the whole program on this machine."
        )
        parser.add_argument(
            "--port", type=int, default=8000, help="the shop's; the three after it are used too"
        )
        default = os.environ.get("SMART_CHECKOUT_DATA") or str(BASE / "var")
        parser.add_argument(
            "--data", type=Path, default=Path(default), help="folder for everything that is kept"
        )
        parser.add_argument("--bind", default=ports.ADDRESS, help="address that the shop listens on")
        parser.add_argument("--no-browser", action="store_true", help="do not open the shop in a browser")
        asked = parser.parse_args(arguments)
        if not 1 <= asked.port <= 65532:
            raise CannotStart(f"--port {asked.port} is not a port that has three more after it (1 to 65532)")
        return cls(DataFolder(asked.data.resolve()), asked.port, asked.bind, not asked.no_browser)

    @property
    def public_url(self) -> str:
        return os.environ.get("PUBLIC_URL", f"http://{ports.ADDRESS}:{self.port}")

    @property
    def sandbox_url(self) -> str:
        return f"http://{ports.ADDRESS}:{self.port + 1}"

    @property
    def cluster(self) -> postgres.Cluster:
        return postgres.Cluster(
            self.folder.path / "postgres", self.port + 2, self.secrets["POSTGRES_SUPERUSER_PASSWORD"]
        )

    @property
    def redis(self) -> redis.Server:
        return redis.Server(self.folder.path / "redis", self.port + 3, self.secrets["REDIS_PASSWORD"])

    def run(self) -> None:
        began = time.monotonic()
        supervisor = Supervisor(self.folder.logs, say)
        supervisor.obey_signals()
        self.folder.open()
        lock = Lock(self.folder)
        lock.take()
        try:
            self._take_ports(supervisor, patient=lock.last_run_was_killed)
            self._write_environment()
            self._start_all(supervisor)
            self._announce(time.monotonic() - began)
            supervisor.watch()
        except Interrupted:
            pass
        finally:
            if supervisor.has_parts:
                say("Stopping …")
            supervisor.stop()
            lock.give_back()
        say("Stopped.")

    def _ports(self) -> dict[int, str]:
        wanted = {
            self.port: "shop",
            self.port + 1: "sandbox",
            self.port + 2: "PostgreSQL",
            self.port + 3: "Redis",
        }
        if onboarding.live_credentials():
            del wanted[self.port + 1]
        if "DATABASE_URL" in os.environ:
            del wanted[self.port + 2]
        if "REDIS_URL" in os.environ:
            del wanted[self.port + 3]
        return wanted

    def _take_ports(self, supervisor: Supervisor, *, patient: bool) -> None:
        end = time.monotonic() + (_PATIENCE_AFTER_KILL if patient else 0)
        while busy := [port for port in self._ports() if not ports.is_free(port)]:
            if time.monotonic() >= end:
                name = self._ports()[busy[0]]
                raise CannotStart(
                    f"port {busy[0]} ({name}) is in use by another program: give other ports, for example "
                    f"--port {self.port + 100} (make run PORT={self.port + 100})"
                )
            supervisor.check_not_interrupted()
            time.sleep(0.2)

    def _write_environment(self) -> None:
        self.secrets = secrets.ensure(self.folder)
        secrets.ensure_sign_ins(self.folder)
        addresses = {
            "DATABASE_URL": self.cluster.url(DATABASE, self.secrets["POSTGRES_PASSWORD"], DATABASE),
            "REDIS_URL": self.redis.url(),
            "PUBLIC_URL": self.public_url,
        }
        self.folder.write_private(self.folder.environment, secrets.render(self.secrets | addresses))

    def _start_all(self, supervisor: Supervisor) -> None:
        own = {"SMART_CHECKOUT_DATA": str(self.folder.path), "PYTHONUNBUFFERED": "1"}
        # `prepare` has checked what every other part would check again at its start.
        own["CELERY_SKIP_CHECKS"] = "1"
        # Compiled modules are kept: without them every part compiles every module again at its start.
        ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        programs = parts.Programs(BASE, ours | own, self.bind, self.port)
        self._start_services(supervisor)
        if live := onboarding.live_credentials():
            say(f"Live credentials are set ({', '.join(live)}): the sandbox stays off.")
            onboarding.forget(self.folder)
        else:
            supervisor.start(parts.sandbox(programs, self.folder, self.port + 1))
        say("Preparing the database, the catalogue and the pages …")
        supervisor.run_once("prepare", programs.manage("prepare", "--demo"))
        if not live:
            supervisor.wait_for("sandbox")
            with supervisor.interruptible():
                onboarding.onboard(self.folder, sandbox_url=self.sandbox_url, public_url=self.public_url)
        say("Starting the shop …")
        for part in (programs.web(), programs.worker(), programs.beat(), programs.relay()):
            supervisor.start(part)
        if not live and not self.folder.first_order.exists():
            supervisor.run_once("first order", programs.manage("seed_first_order", "--skip-checks"))
            self.folder.first_order.touch()
        supervisor.wait_for("web")
        supervisor.wait_for("worker", "beat", "relay")

    def _start_services(self, supervisor: Supervisor) -> None:
        embedded = []
        if "REDIS_URL" not in os.environ:
            embedded.append(parts.broker(self.redis))
        if "DATABASE_URL" not in os.environ:
            with supervisor.interruptible():
                self.cluster.create()
            embedded.append(parts.database(self.cluster))
        if not embedded:
            return
        say(f"Starting {' and '.join(part.name for part in embedded)} …")
        for part in embedded:
            supervisor.start(part)
        supervisor.wait_for(*(part.name for part in embedded))
        if "DATABASE_URL" not in os.environ:
            with supervisor.interruptible():
                self.cluster.ensure_database(DATABASE, DATABASE, self.secrets["POSTGRES_PASSWORD"])

    def _announce(self, seconds: float) -> None:
        passwords = secrets.ensure_sign_ins(self.folder)
        say(
            f"\nEverything answers after {seconds:.1f} s. Logs: {self.folder.logs}  ·  Ctrl-C stops everything.\n"
        )
        say(f"  shop       {self.public_url}/")
        say(f"  console    {self.public_url}/console/")
        say(f"  API docs   {self.public_url}/api/docs/")
        if not onboarding.live_credentials():
            say(f"  sandbox    {self.sandbox_url}/   (plays the bank and the wallets)")
        say(f"\n  sign in as  {'password':<14}who   (kept in {self.folder.sign_ins})")
        for name, role in secrets.PEOPLE.items():
            say(f"  {name:<11} {passwords[name]:<14}{role}")
        say(f"\nReady: {self.public_url}/")
        if self.open_browser and (os.environ.get("DISPLAY") or sys.platform == "darwin"):
            webbrowser.open(self.public_url)
