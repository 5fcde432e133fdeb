"""`/sms`: a gateway for text messages, and the phones that they arrive at, as one page.

A message is sent once under its `key`, however often it is asked for; another text under the same key is refused.
"""

import re
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.control import asked_json, refused
from sandbox.html import Html, fragment, join, page
from sandbox.provider import World

_PHONE = re.compile(r"\+[1-9]\d{6,14}")
_LONGEST = 500
_SHOWN = 100


def routes(world: World) -> list[BaseRoute]:
    async def send(request: Request) -> Response:
        merchant = _merchant(world, request)
        if not merchant:
            return refused(401, "unknown key")
        try:
            return _send(world, merchant, await asked_json(request))
        except ValueError as problem:
            return refused(422, str(problem))

    async def look(request: Request) -> Response:
        merchant = _merchant(world, request)
        if not merchant:
            return refused(401, "unknown key")
        row = _message(world, merchant, request.path_params["key"])
        return _told(row) if row else refused(404, "no such message")

    async def phones(request: Request) -> Response:
        return HTMLResponse(_page(world))

    async def listed(request: Request) -> Response:
        rows = _newest(world, request.query_params.get("to", ""))
        return JSONResponse({"messages": [{"to": row["phone"], "text": row["text"]} for row in rows]})

    return [
        Route("/sms/v1/messages", send, methods=["POST"]),
        Route("/sms/v1/messages/{key}", look, methods=["GET"]),
        Route("/sms", phones, methods=["GET"]),
        Route("/control/sms", listed, methods=["GET"]),
    ]


def _merchant(world: World, request: Request) -> str:
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    row = world.storage.row("SELECT merchant FROM sms_accounts WHERE api_key = ?", key)
    return str(row["merchant"]) if row else ""


def _send(world: World, merchant: str, asked: dict[str, Any]) -> Response:
    key, phone, text = (str(asked.get(name, "")) for name in ("key", "to", "text"))
    if not key or not _PHONE.fullmatch(phone) or not 0 < len(text) <= _LONGEST:
        raise ValueError("key, to (+ and figures) and text (at most 500 characters) are needed")
    with world.storage.transaction():
        sent = _message(world, merchant, key)
        if sent is None:
            world.storage.run(
                "INSERT INTO sms_messages (merchant, key, phone, text, created_at) VALUES (?, ?, ?, ?, ?)",
                *(merchant, key, phone, text, world.now()),
            )
        elif (sent["phone"], sent["text"]) != (phone, text):
            raise ValueError("this key was used for another message")
        return _told(_message(world, merchant, key))


def _message(world: World, merchant: str, key: str) -> Any:
    return world.storage.row("SELECT * FROM sms_messages WHERE merchant = ? AND key = ?", merchant, key)


def _newest(world: World, phone: str) -> list[Any]:
    return world.storage.rows(
        "SELECT * FROM sms_messages WHERE phone = ? OR ? = '' ORDER BY id DESC LIMIT ?", phone, phone, _SHOWN
    )


def _told(row: Any) -> Response:
    return JSONResponse({"key": row["key"], "to": row["phone"], "state": "delivered"})


def _page(world: World) -> str:
    cards = [
        fragment(
            "sms_message",
            phone=row["phone"],
            text=row["text"],
            at=f"{datetime.fromtimestamp(row['created_at'], UTC):%Y-%m-%d %H:%M:%S} UTC",
        )
        for row in _newest(world, "")
    ]
    empty = Html('<p class="empty">No messages yet. 暂无短信。</p>')
    shown = Html(f'<ul class="cards">{join(cards)}</ul>') if cards else empty
    return page("Phones · 短信 · Sandbox", fragment("sms", messages=shown))
