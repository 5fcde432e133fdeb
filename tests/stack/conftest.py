"""The whole program as a person starts it: `manage.py up`, a real browser, and nothing inside reached directly."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests import services
from tests.ports import four_ports

ROOT = Path(__file__).resolve().parent.parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# What the run's own services put into the environment must not reach the program under test.
_OURS = {*services.TEST_KEYS, "DATABASE_URL", "REDIS_URL"}
READY_SECONDS = 120


@dataclass
class Stack:
    data: Path
    port: int
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
        return kept | {"SMART_CHECKOUT_DATA": str(self.data)}

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
        if not ready.wait(READY_SECONDS):
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
            self.process.wait(60)

    def manage(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            check=False,
            cwd=ROOT,
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=120,
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
        answer = httpx.request(method, self.sandbox + path, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def waiting_at_provider(self) -> list[Any]:
        """Payments that wait for the customer at the provider, newest first."""
        found: list[Any] = self.ask_sandbox("GET", "/control/payments?state=waiting")["payments"]
        return found


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("stack") / "data", four_ports())
    running.start()
    yield running
    running.stop()


# Of a module and no longer: while Playwright runs, its thread counts as an event loop, and Django refuses the database.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, stack: Stack) -> Iterator[Page]:
    """A fresh person at a desktop, reading English; anything the page logs as an error fails the test."""
    context = chromium.new_context(
        base_url=stack.url, locale="en-GB", viewport={"width": 1280, "height": 900}
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    assert not wrong, wrong
