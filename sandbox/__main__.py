"""`python -m sandbox --data DIR --port P`: serve the outside world on 127.0.0.1 until told to stop."""

import argparse
import socket
import sys
from pathlib import Path

import uvicorn

from sandbox.app import build_app, build_world


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sandbox's own storage")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--public-url", default="", help="address that browsers use; http://127.0.0.1:PORT if not given"
    )
    asked = parser.parse_args()
    world = build_world(asked.data, asked.public_url or f"http://127.0.0.1:{asked.port}")
    # faults cut connections on purpose, and uvicorn would print a line for each
    config = uvicorn.Config(
        build_app(world), log_level="critical", access_log=False, timeout_graceful_shutdown=3
    )
    uvicorn.Server(config).run(sockets=[listening(asked.port)])


def listening(port: int) -> socket.socket:
    """A socket on 127.0.0.1, or the reason why not and the end."""
    # Only of a socket that says it is TCP does asyncio turn off the waiting for small packets: 40 ms an answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        sys.exit(f"sandbox: port {port} can not be used: {error.strerror}")
    return listener


if __name__ == "__main__":
    main()
