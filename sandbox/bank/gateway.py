"""`/bank/v1/…`: the bank's interface for its business customers. See docs/channels/bank.md for the profile."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox import payments
from sandbox.bank import camt, ledger, statements
from sandbox.bank.ledger import Account
from sandbox.bank.statements import Day
from sandbox.provider import World
from sandbox.secret_signature import is_signed
from sandbox.statements import files

_PAGE = 50
_TEXTS = ("end_to_end_id", "amount", "currency", "creditor", "creditor_account", "text")

Answerer = Callable[[World, Account, Request, bytes], Response]


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.answer = JSONResponse({"code": code, "message": message}, status)


def routes(world: World) -> list[BaseRoute]:
    def answering(answer: Answerer) -> Callable[[Request], object]:
        async def handle(request: Request) -> Response:
            body = await request.body()
            try:
                account = _authenticated(world, request, body)
                with world.storage.transaction():
                    return answer(world, account, request, body)
            except Refused as refused:
                return refused.answer

        return handle

    base = "/bank/v1"
    return [
        Route(f"{base}/accounts/{{account}}/intraday", answering(_intraday), methods=["GET"]),
        Route(f"{base}/accounts/{{account}}/statements/{{day}}", answering(_statement), methods=["GET"]),
        Route(f"{base}/orders", answering(_order), methods=["POST"]),
        Route(f"{base}/orders/{{end_to_end_id}}", answering(_order_status), methods=["GET"]),
    ]


def _authenticated(world: World, request: Request, body: bytes) -> Account:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    account = ledger.account_of(world, token=token) if token else None
    if account is None:
        raise Refused(401, "forbidden", "no such token")
    asked = f"{request.method} {request.url.path}?{request.url.query} {sha256(body).hexdigest()}"
    given = request.headers.get("request-signature", "")
    if not is_signed(given, asked.encode("utf-8"), secret=account.request_secret, now=world.wall()):
        raise Refused(401, "forbidden", "the request's signature does not verify, or is too old")
    if request.path_params.get("account", account.account) != account.account:
        raise Refused(403, "forbidden", "another customer's account")
    return account


def _intraday(world: World, account: Account, request: Request, body: bytes) -> Response:
    since = _midnight(request.query_params.get("from", ""))
    after = request.query_params.get("after", "")
    lines = ledger.lines_since(world, account.merchant, since, after, _PAGE + 1)
    content = camt.report(world, account, lines[:_PAGE], is_last=len(lines) <= _PAGE)
    return Response(content, media_type="application/xml")


def _statement(world: World, account: Account, request: Request, body: bytes) -> Response:
    _midnight(request.path_params["day"])
    day = date.fromisoformat(request.path_params["day"])
    content, media_type, _ = statement_of(world, account, day, request)
    return Response(content, media_type=media_type)


def statement_of(world: World, account: Account, day: date, request: Request) -> tuple[bytes, str, str]:
    """The day's file in the format that was asked for, its media type and its name. Raises Refused."""
    media_type, ending, write = _format(request)
    if _midnight(day.isoformat()) + 86_400 > world.now():
        raise Refused(404, "statement_not_ready", "this day is not over")
    if files.is_late(world, "bank", statements.FILE, account.merchant, day):
        raise Refused(404, "statement_not_ready", "this day's statement is late")
    fault = files.met(world, "bank", statements.FILE, account.merchant, day)
    told = statements.of_day(world, account, day, fault)
    if not told.lines:
        raise Refused(404, "no_statement", "nothing moved on this day")
    content = files.plain(fault, write(told))
    return content, media_type, f"{account.account}_{day:%Y%m%d}.{ending}"


def _format(request: Request) -> tuple[str, str, Callable[[Day], bytes]]:
    name = request.query_params.get("format", "camt.053")
    if name not in statements.FORMATS:
        raise Refused(422, "invalid_format", f"format is one of {', '.join(statements.FORMATS)}")
    return statements.FORMATS[name]


def _order(world: World, account: Account, request: Request, body: bytes) -> Response:
    asked, amount = _asked(body)
    known = ledger.order_of(world, account.merchant, asked["end_to_end_id"])
    if known is not None:
        if json.loads(known.asked) != asked:
            raise Refused(409, "end_to_end_id_reused", "this identifier is another order's")
        return JSONResponse(ledger.order_told(known))
    returned = ledger.lines_of(world, account.merchant, asked["returns"])
    if not returned:
        raise Refused(422, "invalid_order", "returns names no line that came in")
    payment = payments.get_payment(world, str(returned[0].payment))
    if amount > payment.captured - payment.refunded or asked["currency"] != payment.currency:
        raise Refused(422, "amount_exceeded", "more than is left of what came in")
    return JSONResponse(ledger.order_told(ledger.take_order(world, payment, asked, amount)))


def _asked(body: bytes) -> tuple[Mapping[str, Any], int]:
    try:
        asked = json.loads(body)
        if not all(isinstance(asked[name], str) and asked[name] for name in _TEXTS):
            raise ValueError("texts are missing")
        if not isinstance(asked["returns"], list):
            raise ValueError("returns is a list")
        return asked, ledger.minor_of(asked["amount"], asked["currency"])
    except (ValueError, TypeError, KeyError) as problem:
        raise Refused(422, "invalid_order", str(problem)) from problem


def _order_status(world: World, account: Account, request: Request, body: bytes) -> Response:
    order = ledger.order_of(world, account.merchant, request.path_params["end_to_end_id"])
    if order is None:
        raise Refused(404, "order_not_found", "no such order")
    return JSONResponse(ledger.order_told(order))


def _midnight(day: str) -> float:
    try:
        begin = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    except ValueError as problem:
        raise Refused(422, "invalid_day", "a day is YYYY-MM-DD") from problem
    return begin.timestamp() if begin.year > 1970 else timedelta(0).total_seconds()
