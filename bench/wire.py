"""A client that costs little beside what it measures: one kept connection for each thread."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
_local = threading.local()
_LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)


def send(
    method: str, port: int, path: str, headers: Mapping[str, str], body: bytes | None
) -> tuple[int, bytes]:
    """Status and body; a connection that the server closed meanwhile is opened again."""
    lines: dict[int, _Line] = _local.__dict__.setdefault("lines", {})
    named = {"Host": f"127.0.0.1:{port}", "Content-Length": len(body or b""), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    for last_try in (False, True):
        try:
            line = lines.get(port) or lines.setdefault(port, _Line(port))
            return line.ask(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + (body or b""))
        except OSError:
            if port in lines:
                lines.pop(port).close()
            if last_try:
                raise
    raise AssertionError("unreachable")


class _Line:
    """One kept connection. It reads of an answer's head what it needs; a library that reads all of it takes as long as
    some servers do."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> tuple[int, bytes]:
        self._socket.sendall(request)
        head, _, body = self._until(b"", lambda read: b"\r\n\r\n" in read).partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        assert length or head[9:12] == b"204", f"an answer without its length: {head!r}"
        body = self._until(body, lambda read: len(read) >= int(length[1] if length else 0))
        return int(head[9:12]), body

    def close(self) -> None:
        self._socket.close()

    def _until(self, read: bytes, enough: Callable[[bytes], bool]) -> bytes:
        while not enough(read):
            more = self._socket.recv(65536)
            if not more:
                raise ConnectionResetError("the server hung up")
            read += more
        return read


def ask(method: str, port: int, path: str, headers: Mapping[str, str], body: Any = None) -> Any:
    """JSON both ways; anything but 2xx fails the benchmark."""
    content = None if body is None else json.dumps(body).encode()
    status, answer = send(method, port, path, {**headers, "Content-Type": "application/json"}, content)
    assert 200 <= status < 300, f"{method} {path}: {status} {answer[:500]!r}"
    return json.loads(answer) if answer else None


def all_at_once(work: Callable[[T], Any], units: Sequence[T], clients: int) -> float:
    """Every client takes the next unit as soon as it is done with one; returns units a second."""
    began = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        for done in [pool.submit(work, unit) for unit in units]:
            done.result()
    return len(units) / (time.monotonic() - began)


def at_rate(work: Callable[[T], Any], units: Sequence[T], rate: float, clients: int) -> list[float]:
    """Units come at a steady rate, whatever became of those before; seconds from when each was due to its end."""
    began = time.monotonic() + 0.1

    def one(number: int, unit: T) -> float:
        due = began + number / rate
        time.sleep(max(0.0, due - time.monotonic()))
        work(unit)
        return time.monotonic() - due

    with ThreadPoolExecutor(clients) as pool:
        waiting = [pool.submit(one, number, unit) for number, unit in enumerate(units)]
        return [done.result() for done in waiting]
