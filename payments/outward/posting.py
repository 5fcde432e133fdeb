"""Sending one webhook: over a connection to the very address that was vetted, with the name in SNI and `Host`.

The name is resolved where the connection is made and nowhere else, so nobody can answer one address to the check and
another to the call. Redirects are not followed; proxies of the environment are not asked.
"""

import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpcore

from payments.outward.addresses import AddressRefused, check_url, vetted

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
_MOST_READ = 16 * 1024  # enough to find the end of a polite answer, so that its connection can be used again
_LONGEST_EXCERPT = 1024
_clock = threading.local()  # `deadline` of the call that this thread makes


@dataclass(frozen=True, slots=True)
class Posted:
    """`status` None: there was no answer, `error` says why."""

    status: int | None
    excerpt: str
    latency_ms: int
    error: str = ""

    @property
    def arrived(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class _Stream(httpcore.NetworkStream):
    """Bounds the whole call, not just every single read: an answer may not drip for hours."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _VettedBackend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        problem: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in vetted(host, port)[:2]:
            try:
                return _Stream(self._inner.connect_tcp(address, port, _left(timeout), local_address))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
        raise problem

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _left(timeout: float | None) -> float:
    deadline: float = _clock.deadline
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout(f"no whole answer within {TOTAL_SECONDS:.0f} s")
    return min(left, timeout) if timeout else left


@cache
def pool() -> httpcore.ConnectionPool:
    """Shared by all senders of this process."""
    return httpcore.ConnectionPool(
        ssl_context=ssl.create_default_context(),
        max_connections=100,
        max_keepalive_connections=20,
        keepalive_expiry=30,
        network_backend=_VettedBackend(),
    )


def post(url: str, headers: Mapping[str, str], body: bytes) -> Posted:
    """Send `body`. Never raises for anything that the other side does or is."""
    began = time.monotonic()
    _clock.deadline = began + TOTAL_SECONDS
    status, excerpt, error = None, b"", ""
    timeouts = {
        "connect": CONNECT_SECONDS,
        "read": TOTAL_SECONDS,
        "write": TOTAL_SECONDS,
        "pool": TOTAL_SECONDS,
    }
    try:
        check_url(url)
        told = [(name, value) for name, value in headers.items()]
        with pool().stream(
            "POST", url, headers=told, content=body, extensions={"timeout": timeouts}
        ) as response:
            status = response.status
            excerpt = _beginning(response)
    except AddressRefused as refusal:
        error = str(refusal)
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as problem:
        error = f"{type(problem).__name__}: {problem}"
    except (httpcore.UnsupportedProtocol, UnicodeError, ValueError) as problem:
        error = f"not an address: {problem}"
    if status and 300 <= status < 400:
        error = "redirects are not followed"
    latency = int((time.monotonic() - began) * 1000)
    return Posted(status=status, excerpt=_text(excerpt), latency_ms=latency, error=error[:300])


def _beginning(response: httpcore.Response) -> bytes:
    read = b""
    try:
        for chunk in response.iter_stream():
            read += chunk
            if len(read) >= _MOST_READ:
                break
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        pass  # the status was said; what else was said does not matter
    return read[:_LONGEST_EXCERPT]


def _text(excerpt: bytes) -> str:
    """What a table can keep and a page can show."""
    decoded = excerpt.decode("utf-8", "replace")
    return "".join(c if c.isprintable() or c == "\n" else " " for c in decoded)[:_LONGEST_EXCERPT]
