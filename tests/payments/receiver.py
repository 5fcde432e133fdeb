"""A merchant's server on this machine: keeps what it was sent and answers what the test wants."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from typing import Any


@dataclass(slots=True)
class Sent:
    path: str
    headers: dict[str, str]
    body: str


@dataclass(slots=True)
class Receiver:
    url: str = ""
    status: int = 200
    answer: bytes = b"thanks"
    headers: dict[str, str] = field(default_factory=dict)
    drips: bool = False  # a byte now and then, for ever
    sent: list[Sent] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    server_names: list[str | None] = field(default_factory=list)


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.sent.append(Sent(self.path, headers, body))
            receiver.connections.add(self.client_address)
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(10**6 if receiver.drips else len(receiver.answer)))
            self.end_headers()
            try:
                self.wfile.write(receiver.answer)
                while receiver.drips:
                    self.wfile.write(b".")
                    time.sleep(0.02)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Silence."""

    return Handler


@contextmanager
def receiving(tls: SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Receiver]:
    receiver = Receiver()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(receiver))
    server.daemon_threads = True
    if tls:
        tls.sni_callback = lambda _, name, __: receiver.server_names.append(name)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver.url = f"{'https' if tls else 'http'}://{host}:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.drips = False
        server.shutdown()
        server.server_close()
        thread.join()
