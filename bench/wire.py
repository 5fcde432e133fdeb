"""A client that costs little beside what it measures: one kept connection for each thread."""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from typing import Any, TypeVar

T = TypeVar("T")
_local = threading.local()


def send(
    method: str, port: int, path: str, headers: Mapping[str, str], body: bytes | None
) -> tuple[int, bytes]:
    """Status and body; a connection that the server closed meanwhile is opened again."""
    lines: dict[int, HTTPConnection] = _local.__dict__.setdefault("lines", {})
    for last_try in (False, True):
        line = lines.setdefault(port, HTTPConnection("127.0.0.1", port, timeout=60))
        try:
            line.request(method, path, body, dict(headers))
            answer = line.getresponse()
            return answer.status, answer.read()
        except (HTTPException, OSError):
            line.close()
            del lines[port]
            if last_try:
                raise
    raise AssertionError("unreachable")


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
