"""Takes in what the providers would tell the shop, so that a benchmark can deliver it when it wants to."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Letter:
    """One notification as it came, signature and all."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def channel(self) -> str:
        return self.path.rpartition("/")[2]

    def forged(self) -> "Letter":
        """The same signature over other words."""
        body = (
            self.body.replace(b"{", b'{"forged":1,', 1) if b"{" in self.body[:2] else self.body + b"&forged=1"
        )
        return Letter(self.path, self.headers, body)


_NOT_KEPT = {"host", "content-length", "connection", "accept-encoding"}


@dataclass(slots=True)
class PostBox:
    letters: list[Letter] = field(default_factory=list)

    def open(self) -> str:
        """Its address."""
        letters = self.letters

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {
                    name: value for name, value in self.headers.items() if name.lower() not in _NOT_KEPT
                }
                letters.append(Letter(self.path, headers, body))
                self.send_response(200)
                self.send_header("Content-Length", "7")
                self.end_headers()
                self.wfile.write(b"success")

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    def empty(self) -> list[Letter]:
        taken = list(self.letters)
        del self.letters[: len(taken)]
        return taken
