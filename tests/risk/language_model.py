"""A language model on this machine: keeps what it was sent, and answers as the test wants, over a real socket."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Facts = dict[str, Any]


@dataclass(slots=True)
class Asked:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def facts(self) -> Facts:
        found: Facts = json.loads(json.loads(self.body)["messages"][1]["content"])
        return found


@dataclass(slots=True)
class LanguageModel:
    """`words` makes the completion's text out of the facts; `body`, where set, is sent as it is."""

    words: Callable[[Facts], str]
    url: str = ""
    status: int = 200
    body: bytes | None = None
    drips: bool = False  # a byte now and then
    asked: list[Asked] = field(default_factory=list)


def faithful(facts: Facts) -> str:
    """What a model says that does as it is told."""
    values = {one["id"]: one["value"] for one in facts["inputs"]}
    statements = [
        {
            "rank": one["rank"],
            "factor": one["id"],
            "direction": one["direction"],
            "cites": [{"input": one["inputs"][0], "value": values[one["inputs"][0]]}],
            "says": {
                "en": f"Seldom seen with honoured payments: {{{one['inputs'][0]}}}.",
                "zh": f"正常付款中少见：{{{one['inputs'][0]}}}。",
            },
        }
        for one in facts["factors"][:6]
    ]
    return json.dumps({"statements": statements}, ensure_ascii=False)


def completion(words: str) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": words}}]}).encode()


def _handler(model: LanguageModel) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            model.asked.append(asked)
            answer = completion(model.words(asked.facts)) if model.body is None else model.body
            self.send_response(model.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(10**6 if model.drips else len(answer)))
            self.end_headers()
            try:
                self.wfile.write(answer)
                while model.drips:
                    self.wfile.write(b" ")
                    time.sleep(0.02)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Silence."""

    return Handler


@contextmanager
def running(words: Callable[[Facts], str] = faithful) -> Iterator[LanguageModel]:
    model = LanguageModel(words)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(model))
    server.daemon_threads = True
    model.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()
