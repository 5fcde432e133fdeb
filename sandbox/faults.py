"""Misfortune to order: the next matching requests are lost, answered with an error or answered late.

Kinds: `drop_before` (the connection breaks and nothing happened), `drop_after` (it happened, the answer is
lost), `error_before` and `error_after` (HTTP 500 instead), `garbage_after` (an answer that makes no sense),
`slow` (the right answer after `seconds`), `busy` (the work itself takes `seconds`). `path` begins the URL's
path, `method` may be empty for any.
"""

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.provider import World

KINDS = ("drop_before", "drop_after", "error_before", "error_after", "garbage_after", "slow", "busy")


def plan_fault(world: World, *, method: str, path: str, kind: str, seconds: float, times: int) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    world.storage.run(
        "INSERT INTO faults (method, path, kind, seconds, remaining) VALUES (?, ?, ?, ?, ?)",
        *(method.upper(), path, kind, seconds, times),
    )


class Misfortune:
    """ASGI middleware that carries out planned faults."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._next_fault(scope) if scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        if fault["kind"] == "slow":
            await self._app(scope, receive, _late(send, fault["seconds"]))
            return
        if fault["kind"] == "busy":
            scope.setdefault("state", {})["thinking"] = fault["seconds"]
            await self._app(scope, receive, send)
            return
        if fault["kind"].endswith("_after"):
            await self._app(scope, receive, _nowhere)
        await asyncio.sleep(fault["seconds"])
        await _misanswer(fault["kind"], send)

    def _next_fault(self, scope: Scope) -> Any:
        if scope["path"].startswith("/control/"):
            return None
        fault = self._world.storage.row(
            "SELECT * FROM faults WHERE remaining > 0 AND method IN ('', ?)"
            " AND substr(?, 1, length(path)) = path ORDER BY id LIMIT 1",
            *(scope["method"], scope["path"]),
        )
        if fault is not None:
            self._world.storage.run("UPDATE faults SET remaining = remaining - 1 WHERE id = ?", fault["id"])
        return fault


async def _nowhere(message: Message) -> None:
    return None


def _late(send: Send, seconds: float) -> Send:
    async def later(message: Message) -> None:
        if message["type"] == "http.response.start":
            await asyncio.sleep(seconds)
        await send(message)

    return later


async def _misanswer(kind: str, send: Send) -> None:
    body = b"<html>oops" if kind.startswith("garbage") else b'{"error": "internal"}'
    status = 500 if kind.startswith("error") else 200
    broken = kind.startswith("drop")
    # a promised length that never comes makes the server cut the connection in the middle of the answer
    length = len(body) + 1000 if broken else len(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(length).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body[:1] if broken else body, "more_body": broken})
