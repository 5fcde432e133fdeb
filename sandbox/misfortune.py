"""Carries faults out: the outermost layer of the application, with its hands on the connection."""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox import faults, twists
from sandbox.deliveries import tried
from sandbox.faults import Asked, Fault
from sandbox.provider import Trouble, World

_LONGEST_HANG_SECONDS = 120.0
_PROXY_PAGE = b"<html><head><title>%d</title></head><body><center><h1>%d</h1></center></body></html>"
_RESET = struct.pack("ii", 1, 0)


class Misfortune:
    """ASGI middleware. Without a planned fault or a mix it only hands on."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/control/"):
            await self._app(scope, receive, send)
            return
        token = twists.awaited.set([])
        try:
            send_then = self._after_notifications(send)
            if not faults.expected(self._world):
                await self._app(scope, receive, send_then)
                return
            body = await _body(receive)
            asked = _asked(scope, body)
            fault = faults.next_fault(self._world, asked)
            if fault is None:
                await self._app(scope, _again(body, receive), send_then)
            else:
                await self._suffer(
                    fault, asked, scope, _again(body, receive), send_then, partial(_reset, send)
                )
        finally:
            twists.awaited.reset(token)

    def _after_notifications(self, send: Send) -> Send:
        """Hold the answer until the notifications that should come before it have left."""

        async def patient(message: Message) -> None:
            if message["type"] == "http.response.start" and (waiting := twists.awaited.get()):
                with suppress(TimeoutError):
                    await tried(self._world, waiting)
            await send(message)

        return patient

    async def _suffer(
        self,
        fault: Fault,
        asked: Asked,
        scope: Scope,
        receive: Receive,
        send: Send,
        reset: Callable[[], None],
    ) -> None:
        if fault.kind in ("slow", "busy", "skew"):
            await self._delayed(fault, scope, receive, send)
            return
        if fault.kind == "reset_after":
            await self._app(scope, receive, _half_then_reset(send, reset))
            return
        if fault.kind.endswith("_after"):
            await self._app(scope, receive, _nowhere)
        if fault.kind.startswith("hang"):
            await _until_given_up(receive, fault.seconds or _LONGEST_HANG_SECONDS)
            reset()
            return
        await asyncio.sleep(fault.seconds)
        await _misanswer(fault, faults.words_of(self._world, asked, fault.status), send)

    async def _delayed(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.kind == "slow":
            send = _late(send, fault.seconds)
        elif fault.kind == "busy":
            scope.setdefault("state", {})["thinking"] = fault.seconds
        with self._world.skewed(fault.seconds if fault.kind == "skew" else 0.0):
            await self._app(scope, receive, send)


def _asked(scope: Scope, body: bytes) -> Asked:
    headers = dict(scope["headers"])
    return faults.asked_of(
        scope["method"], scope["path"], scope["query_string"], headers.get(b"authorization", b""), body
    )


async def _body(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body that was read already, then whatever comes after it."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _nowhere(message: Message) -> None:
    return None


def _late(send: Send, seconds: float) -> Send:
    async def later(message: Message) -> None:
        if message["type"] == "http.response.start":
            await asyncio.sleep(seconds)
        await send(message)

    return later


def _half_then_reset(send: Send, reset: Callable[[], None]) -> Send:
    """The headers and half of the body are on their way, then the connection is reset."""

    async def half(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        body = message.get("body", b"")
        await send({**message, "body": body[: len(body) // 2], "more_body": True})
        await asyncio.sleep(0.02)
        reset()

    return half


async def _until_given_up(receive: Receive, longest: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(longest):
            while (await receive())["type"] != "http.disconnect":
                continue


def _reset(send: Send) -> None:
    """Break the connection under the answer: no last chunk, no polite end."""
    transport: Any = send.__self__.transport  # type: ignore[attr-defined] # the server's own, of one request
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


async def _misanswer(fault: Fault, words: Trouble | None, send: Send) -> None:
    broken = fault.kind.startswith("drop")
    answer = _answer(fault, words)
    # a promised length that never comes makes the server cut the connection in the middle of the answer
    length = len(answer.body) + 1000 if broken else len(answer.body)
    headers = {"content-type": answer.content_type, "content-length": str(length), **answer.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    body = answer.body[:1] if broken else answer.body
    await send({"type": "http.response.body", "body": body, "more_body": broken})


def _answer(fault: Fault, words: Trouble | None) -> Trouble:
    if fault.kind.startswith("garbage"):
        return Trouble(200, b"<html>oops")
    if fault.kind.startswith("drop"):
        return Trouble(200, b'{"error": "internal"}')
    if words is not None:
        return words
    if fault.status == 500:
        return Trouble(500, b'{"error": "internal"}')
    return Trouble(fault.status, _PROXY_PAGE % (fault.status, fault.status), "text/html")
