"""`/ecny/v1/…`: verifies the merchant's signature and answers in the generic profile."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox import keys, payments
from sandbox.ecny import bills, orders, signing
from sandbox.ecny.orders import Account
from sandbox.provider import Payment, World

_SKEW_SECONDS = 300
_TEXTS = ("out_trade_no", "subject", "scene", "notify_url")

Sent = Mapping[str, Any]
Answerer = Callable[[World, Account, Sent], dict[str, Any]]


class Refused(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.fields = {"code": code, "message": message}


def routes(world: World) -> list[BaseRoute]:
    def answering(answer: Answerer) -> Callable[[Request], object]:
        async def handle(request: Request) -> Response:
            return _answered(world, await request.body(), answer)

        return handle

    return [Route(f"/ecny/v1/{page}", answering(answer), methods=["POST"]) for page, answer in _PAGES.items()]


def _answered(world: World, body: bytes, answer: Answerer) -> Response:
    sent: Sent = {}
    try:
        sent = _fields(body)
        account = _authenticated(world, sent)
        with world.storage.transaction():
            told = {"code": "OK", **answer(world, account, sent)}
    except Refused as refused:
        told = refused.fields
    echo = {"mch_id": str(sent.get("mch_id", "")), "nonce": str(sent.get("nonce", ""))}
    with world.storage.transaction():
        return Response(
            json.dumps(signing.signed(world, {**told, **echo}), ensure_ascii=False),
            media_type="application/json",
        )


def _fields(body: bytes) -> dict[str, Any]:
    try:
        sent = json.loads(body)
    except ValueError:
        sent = None
    if not isinstance(sent, dict) or any(type(value) not in (str, int) for value in sent.values()):
        raise Refused("INVALID_FIELD", "a flat JSON object of texts and whole numbers is needed")
    return sent


def _authenticated(world: World, sent: Sent) -> Account:
    account = orders.account_of(world, mch_id=str(sent.get("mch_id", "?")))
    if account is None or not account.public_key or sent.get("sign_type") != "RSA2":
        raise Refused("INVALID_SIGN", "no such merchant, no key, or another sign_type")
    key = keys.public_key(account.public_key)
    if not keys.verifies(key, signing.text(sent), str(sent.get("sign", ""))):
        raise Refused("INVALID_SIGN", "the signature does not verify")
    said_at = sent.get("timestamp")
    if not isinstance(said_at, int) or abs(world.wall() - said_at) > _SKEW_SECONDS or not sent.get("nonce"):
        raise Refused("INVALID_SIGN", "timestamp or nonce")
    return account


def _found(world: World, account: Account, sent: Sent) -> Payment:
    found = payments.payment_for(
        world, channel="ecny", merchant=account.merchant, reference=str(sent.get("out_trade_no", ""))
    )
    if found is None:
        raise Refused("ORDER_NOT_FOUND", "no such order")
    return found


def _order(world: World, account: Account, sent: Sent) -> dict[str, Any]:
    """The order of this number: a new one, or the same again when nothing about it differs."""
    if any(not isinstance(sent.get(name), str) for name in _TEXTS) or sent["scene"] not in ("qr", "h5"):
        raise Refused("INVALID_FIELD", f"texts are needed: {', '.join(_TEXTS)}")
    if not isinstance(sent.get("amount"), int) or sent["amount"] < 1 or sent.get("currency") != "CNY":
        raise Refused("INVALID_FIELD", "amount in fen, currency CNY")
    if not isinstance(sent.get("expires_at"), int) or world.from_merchant(sent["expires_at"]) <= world.now():
        raise Refused("INVALID_FIELD", "expires_at")
    asked = {name: sent[name] for name in (*_TEXTS, "amount", "expires_at")}
    asked["return_url"] = str(sent.get("return_url", ""))
    try:
        known = _found(world, account, sent)
    except Refused:
        order = orders.open_order(world, account, asked)
    else:
        order = orders.order_of(world, known.id)
        if json.loads(order.asked) != asked:
            raise Refused("INVALID_FIELD", "this out_trade_no is another order's")
        if order.status != "WAITING":
            raise Refused("ORDER_NOT_OPEN", f"the order is {order.status}")
    page = f"{world.public_url}/wallet/ecny/{order.code}"
    return {"out_trade_no": sent["out_trade_no"], "code_url" if sent["scene"] == "qr" else "pay_url": page}


def _query(world: World, account: Account, sent: Sent) -> dict[str, Any]:
    return orders.told(world, _found(world, account, sent).id)


def _close(world: World, account: Account, sent: Sent) -> dict[str, Any]:
    payment = _found(world, account, sent)
    if payment.state != "waiting":
        raise Refused("ORDER_NOT_OPEN", f"the order is {orders.order_of(world, payment.id).status}")
    orders.close(world, payment, "closed")
    return orders.told(world, payment.id)


def _refund(world: World, account: Account, sent: Sent) -> dict[str, Any]:
    payment = _found(world, account, sent)
    amount, number = sent.get("refund_amount"), sent.get("out_refund_no")
    if not isinstance(amount, int) or amount < 1 or not isinstance(number, str) or not number:
        raise Refused("INVALID_FIELD", "refund_amount in fen and out_refund_no")
    done = orders.refund_of(world, payment.id, number)
    if done is None:
        if not payment.captured:
            raise Refused("NOT_ALLOWED", "the order is not paid")
        if payment.refunded + amount > payment.captured:
            raise Refused("AMOUNT_EXCEEDED", "more than is left of the order")
        done = orders.refund(world, payment, number, amount, str(sent.get("notify_url", "")))
    if done.amount != amount:
        raise Refused("INVALID_FIELD", "this out_refund_no refunded another amount")
    return orders.refund_told(payment, done)


def _refund_query(world: World, account: Account, sent: Sent) -> dict[str, Any]:
    payment = _found(world, account, sent)
    done = orders.refund_of(world, payment.id, str(sent.get("out_refund_no", "")))
    if done is None:
        raise Refused("REFUND_NOT_FOUND", "no such refund")
    return orders.refund_told(payment, done)


def _bill(world: World, account: Account, sent: Sent) -> dict[str, Any]:
    day = str(sent.get("bill_date", ""))
    if day >= orders.day_of(world.now()) or bills.is_late(world, account, day):
        raise Refused("BILL_NOT_READY", "bills are written the next day")
    told = bills.written(world, account, day)
    if not told:
        raise Refused("NO_BILL", "nothing moved on this day")
    return told


_PAGES: dict[str, Answerer] = {
    "orders": _order,
    "orders/query": _query,
    "orders/close": _close,
    "refunds": _refund,
    "refunds/query": _refund_query,
    "bills": _bill,
}
