"""One copy of the whole program, started with `manage.py up` in a folder of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests import services
from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parent.parent.parent
# What the run's own services put into the environment must not reach the program under test.
_OURS = {*services.TEST_KEYS, "DATABASE_URL", "REDIS_URL"}


@dataclass
class Stack:
    data: Path
    port: int
    extra: dict[str, str] = field(default_factory=dict)  # environment beyond our own
    process: "subprocess.Popen[str] | None" = None
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sandbox(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}"

    @property
    def kept(self) -> dict[str, str]:
        """Addresses and secrets that the first start wrote down."""
        lines = (self.data / "environment").read_text().splitlines()
        pairs = (line.partition("=") for line in lines if not line.startswith("#"))
        return {name: value.strip("'\"") for name, _, value in pairs}

    @property
    def database_url(self) -> str:
        return self.kept["DATABASE_URL"]

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in _OURS}
        return kept | {"SMART_CHECKOUT_DATA": str(self.data)} | self.extra

    def start(self) -> float:
        """Start and wait for `Ready:`; returns the seconds it took."""
        began = time.monotonic()
        command = [sys.executable, "manage.py", "up", "--no-browser", "--port", str(self.port), "--data"]
        self.process = subprocess.Popen(
            [*command, str(self.data)],
            cwd=ROOT,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        ready = threading.Event()
        threading.Thread(target=self._read, args=(self.process, ready), daemon=True).start()
        if not ready.wait(PATIENCE):
            self.stop()
            raise AssertionError("not ready:\n" + "\n".join(self.lines[-40:]))
        return time.monotonic() - began

    def _read(self, process: "subprocess.Popen[str]", ready: threading.Event) -> None:
        assert process.stdout
        for line in process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith("Ready:"):
                ready.set()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(PATIENCE)

    def manage(self, *arguments: str, check: bool = True, seconds: float = PATIENCE) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            check=False,
            cwd=ROOT,
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=seconds,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def verify(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.manage("verify", "--json", check=False))
        return report

    def sign_in_words(self, name: str) -> str:
        known: dict[str, str] = json.loads((self.data / "sign-ins.json").read_text())
        return known[name]

    def ask_sandbox(self, method: str, path: str) -> Any:
        answer = httpx.request(method, self.sandbox + path, timeout=PATIENCE)
        answer.raise_for_status()
        return answer.json()

    def waiting_at_provider(self) -> list[Any]:
        """Payments that wait for the customer at the provider, newest first."""
        found: list[Any] = self.ask_sandbox("GET", "/control/payments?state=waiting")["payments"]
        return found
