"""`/crypto/v1/stores/…/invoices`: the processor's interface. See docs/channels/crypto.md for the profile."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox import payments
from sandbox.control import asked_json, guarded
from sandbox.crypto import invoices
from sandbox.crypto.invoices import Store
from sandbox.provider import Payment, World

_TEXTS = ("reference", "amount", "currency", "description", "expires_at", "notify_url", "return_url")

Sent = Mapping[str, Any]
Answerer = Callable[[World, Store, Request, Sent], dict[str, Any]]


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.answer = JSONResponse({"code": code, "message": message}, status)


def routes(world: World) -> list[BaseRoute]:
    def answering(answer: Answerer) -> Callable[[Request], object]:
        async def handle(request: Request) -> Response:
            body = await request.body()
            try:
                store = _authenticated(world, request)
                sent = _object(body) if body else {}
                with world.storage.transaction():
                    return JSONResponse(answer(world, store, request, sent))
            except Refused as refused:
                return refused.answer

        return handle

    async def end_refund(request: Request) -> Response:
        """`{"reason": "…"}` refuses it."""
        payment = payments.get_payment(world, request.path_params["payment"])
        name, asked = request.path_params["refund"], await asked_json(request)
        with world.storage.transaction():
            invoices.end_refund(world, payment, name, reason=str(asked.get("reason", "")))
        return JSONResponse({"ended": name})

    base = "/crypto/v1/stores/{store}/invoices"
    return [
        Route(base, answering(_create), methods=["POST"]),
        Route(f"{base}/{{reference}}", answering(_invoice), methods=["GET"]),
        Route(f"{base}/{{reference}}/cancel", answering(_cancel), methods=["POST"]),
        Route(f"{base}/{{reference}}/refunds", answering(_refund), methods=["POST"]),
        Route(f"{base}/{{reference}}/refunds/{{refund}}", answering(_refund_status), methods=["GET"]),
        Route("/control/crypto/{payment}/refunds/{refund}/end", guarded(end_refund), methods=["POST"]),
    ]


def _authenticated(world: World, request: Request) -> Store:
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    store = invoices.store_of(world, api_key=key) if key else None
    if store is None or store.store != request.path_params["store"]:
        raise Refused(401, "forbidden", "no such key, or another store's")
    return store


def _object(body: bytes) -> dict[str, Any]:
    try:
        sent = json.loads(body)
    except ValueError:
        sent = None
    if not isinstance(sent, dict):
        raise Refused(422, "invalid_request", "a JSON object is needed")
    return sent


def _found(world: World, store: Store, reference: str) -> Payment | None:
    return payments.payment_for(world, channel="crypto", merchant=store.merchant, reference=reference)


def _named(world: World, store: Store, request: Request) -> Payment:
    found = _found(world, store, request.path_params["reference"])
    if found is None:
        raise Refused(404, "invoice_not_found", "no such invoice")
    return found


def _create(world: World, store: Store, request: Request, sent: Sent) -> dict[str, Any]:
    """The invoice of this reference: a new one, or the same again when nothing about it differs."""
    asked = {name: sent.get(name) for name in _TEXTS}
    if any(not isinstance(value, str) for value in asked.values()) or not asked["reference"]:
        raise Refused(422, "invalid_request", f"texts are needed: {', '.join(_TEXTS)}")
    try:
        amount = invoices.minor_of(str(asked["amount"]), str(asked["currency"]))
        expires_at = world.from_merchant(datetime.fromisoformat(str(asked["expires_at"])).timestamp())
    except ValueError as problem:
        raise Refused(422, "invalid_request", str(problem)) from problem
    known = _found(world, store, str(asked["reference"]))
    if known is None:
        invoice = invoices.open_invoice(world, store, asked, amount, expires_at)
    else:
        invoice = invoices.invoice_of(world, known.id)
        if json.loads(invoice.asked) != asked:
            raise Refused(409, "reference_reused", "this reference is another invoice's")
    return invoices.told(world, invoice.payment)


def _invoice(world: World, store: Store, request: Request, sent: Sent) -> dict[str, Any]:
    return invoices.told(world, _named(world, store, request).id)


def _cancel(world: World, store: Store, request: Request, sent: Sent) -> dict[str, Any]:
    payment = _named(world, store, request)
    status = invoices.invoice_of(world, payment.id).status
    if status == "new":
        invoices.close(world, payment, "cancelled", tell=False)
    elif status != "cancelled":
        raise Refused(409, "invoice_not_open", f"the invoice is {status}")
    return invoices.told(world, payment.id)


def _refund(world: World, store: Store, request: Request, sent: Sent) -> dict[str, Any]:
    payment, name = _named(world, store, request), sent.get("refund_reference")
    try:
        amount = invoices.minor_of(str(sent.get("amount")), payment.currency)
    except ValueError as problem:
        raise Refused(422, "invalid_request", str(problem)) from problem
    if not isinstance(name, str) or not name or sent.get("currency") != payment.currency:
        raise Refused(422, "invalid_request", "refund_reference and the invoice's currency are needed")
    done = invoices.refund_of(world, payment.id, name)
    if done is None:
        if amount > payment.captured - payment.refunded:
            raise Refused(422, "amount_exceeded", "more than is left of what was paid")
        done = invoices.request_refund(world, payment, name, amount, str(sent.get("notify_url", "")))
    if done.amount != amount:
        raise Refused(409, "reference_reused", "this refund_reference is about another amount")
    return invoices.refund_told(payment, done)


def _refund_status(world: World, store: Store, request: Request, sent: Sent) -> dict[str, Any]:
    payment = _named(world, store, request)
    done = invoices.refund_of(world, payment.id, request.path_params["refund"])
    if done is None:
        raise Refused(404, "refund_not_found", "no such refund")
    return invoices.refund_told(payment, done)
