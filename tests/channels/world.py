"""The outside world for channel tests: a real sandbox process and a place where notifications arrive."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx

from payments.channels.contract import Acknowledgement
from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parent.parent.parent
# one client: making a TLS context for every request would cost more than the request
HTTP = httpx.Client(timeout=PATIENCE, trust_env=False)
# the same for strangers, who come on a connection of their own
STRANGER = httpx.Client(timeout=PATIENCE, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Sandbox:
    """The control API of a running `python -m sandbox`."""

    url: str

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = HTTP.request(method, self.url + path, json=body)
        answer.raise_for_status()
        return answer.json()

    def onboard(self, **asked: Any) -> Any:
        return self.ask("POST", "/control/merchants", asked)

    def payments(self, reference: str) -> list[Any]:
        found: list[Any] = self.ask("GET", f"/control/payments?reference={reference}")["payments"]
        return found

    def act(self, reference: str, action: str) -> None:
        """Let the customer "scan", "pay", "decline" or "expire" the payment of this reference."""
        self.ask("POST", f"/control/payments/{self.payments(reference)[0]['id']}/{action}")

    def fault(self, path: str, kind: str, **narrowed: Any) -> None:
        self.ask("POST", "/control/faults", {"path": path, "kind": kind, **narrowed})

    def advance(self, seconds: float) -> None:
        """Let the providers' time jump forward."""
        self.ask("POST", "/control/clock", {"advance": seconds})

    def twist(self, kind: str, **asked: Any) -> None:
        """Something goes wrong with the next notification that matches."""
        self.ask("POST", "/control/notification-faults", {"kind": kind, **asked})

    def forget_notifications(self) -> None:
        """Those that wait are not sent any more."""
        self.ask("DELETE", "/control/deliveries")

    def deliveries(self, payment: str) -> list[Any]:
        found = self.ask("GET", "/control/deliveries")["deliveries"]
        return [delivery for delivery in found if delivery["payment"] == payment]


@contextmanager
def running_sandbox(data: Path, port: int | None = None) -> Iterator[Sandbox]:
    port = port or free_port()
    command = [sys.executable, "-m", "sandbox", "--data", str(data), "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    sandbox = Sandbox(f"http://127.0.0.1:{port}")
    try:
        eventually(lambda: _answers(sandbox))
        yield sandbox
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _answers(sandbox: Sandbox) -> bool:
    try:
        return bool(sandbox.ask("GET", "/control/health"))
    except httpx.TransportError:
        return False


Found = TypeVar("Found")


def eventually(look: Callable[[], Found]) -> Found:
    """What `look` finds as soon as it finds something, within `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"nothing came in {PATIENCE:.0f} s")
        time.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Arrived:
    """One notification as it came over the wire; header names are lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """Keeps every POST, and answers each with what `answers` says for its path."""

    url: str
    arrived: list[Arrived] = field(default_factory=list)
    answers: dict[str, Acknowledgement] = field(default_factory=dict)

    def at(self, path: str) -> list[Arrived]:
        return [one for one in self.arrived if one.path == path]


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.arrived.append(Arrived(self.path, headers, body))
            answer = receiver.answers.get(self.path, Acknowledgement(500, "nobody listens"))
            self.send_response(answer.status)
            self.send_header("content-type", answer.content_type)
            if answer.status != 204:
                self.send_header("content-length", str(len(answer.body.encode())))
            self.end_headers()
            if answer.status != 204:
                self.wfile.write(answer.body.encode())

        def log_message(self, format: str, *args: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
