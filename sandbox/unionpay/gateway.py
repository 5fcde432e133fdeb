"""`/unionpay/gateway/api/*.do` and the file server: verifies the merchant's signature, answers as UnionPay does."""

import json
import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox import keys, payments
from sandbox.provider import World
from sandbox.unionpay import orders, settlement, signing
from sandbox.unionpay.orders import Account, Order

_ORDER_ID = re.compile(r"[0-9A-Za-z]{8,40}")
_ORIGINALS = {"03": "02", "31": "01", "32": "02", "33": "03", "04": "01 03"}
_ECHOED = ("merId", "orderId", "txnTime", "txnType", "txnSubType", "bizType", "accessType", "reqReserved")

Sent = Mapping[str, str]
Answerer = Callable[[World, Account, Sent], dict[str, str]]


class Refused(Exception):
    """An answer other than 00. `named` is False where the gateway can not know whom it answers."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code)
        self.fields = {"respCode": code, "respMsg": message or orders.WORDS.get(code, "")}


def routes(world: World) -> list[BaseRoute]:
    def answering(answer: Answerer) -> Callable[[Request], object]:
        async def handle(request: Request) -> Response:
            return _answered(world, await request.body(), answer)

        return handle

    async def front(request: Request) -> Response:
        return _front(world, await request.body())

    base = "/unionpay/gateway/api"
    return [
        Route(f"{base}/frontTransReq.do", front, methods=["POST"]),
        Route(f"{base}/backTransReq.do", answering(_back), methods=["POST"]),
        Route(f"{base}/queryTrans.do", answering(_query), methods=["POST"]),
        Route("/unionpay/file", answering(_file), methods=["POST"]),
    ]


def _answered(world: World, body: bytes, answer: Answerer) -> Response:
    sent: Sent = {}
    try:
        sent = _fields(body)
        account = _authenticated(world, sent)
        with world.storage.transaction():
            told = {"respCode": "00", "respMsg": orders.WORDS["00"], **answer(world, account, sent)}
    except Refused as refused:
        told = refused.fields
    echo = {name: sent[name] for name in _ECHOED if name in sent}
    with world.storage.transaction():
        return Response(signing.answer_body(world, {**echo, **told}), media_type="text/html;charset=UTF-8")


def _front(world: World, body: bytes) -> Response:
    """The customer's browser posts the order: a new one, or the same again when nothing about it differs."""
    try:
        sent = _fields(body)
        account = _authenticated(world, sent)
        _check_order(sent, ("01", "02"))
        known = orders.find(world, account.merchant, sent["orderId"], sent["txnTime"])
        if known is None:
            with world.storage.transaction():
                known = orders.open_order(world, account, sent)
        elif _meant(json.loads(known.asked)) != _meant(sent):
            raise Refused("12")
    except Refused as refused:
        return Response(f"{refused.fields['respCode']} {refused.fields['respMsg']}", 400)
    return RedirectResponse(f"{world.public_url}/wallet/unionpay/{known.code}", 303)


def _fields(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode("ascii"), errors="strict")
    except ValueError as problem:
        raise Refused("10", "报文格式错误") from problem
    if len(dict(pairs)) != len(pairs):
        raise Refused("10", "报文格式错误")
    return dict(pairs)


def _authenticated(world: World, sent: Sent) -> Account:
    account = orders.account_of(world, mer_id=sent.get("merId", "?"))
    if account is None:
        raise Refused("31", "商户状态不正确")
    if (sent.get("version"), sent.get("signMethod"), sent.get("encoding")) != ("5.1.0", "01", "UTF-8"):
        raise Refused("10", "报文格式错误")
    row = world.storage.row(
        "SELECT public_key FROM unionpay_certificates WHERE cert_id = ? AND merchant = ?",
        *(sent.get("certId", ""), account.merchant),
    )
    if row is None or not keys.verifies(
        keys.public_key(row["public_key"]), signing.text(sent), sent.get("signature", "")
    ):
        raise Refused("11")
    return account


def _check_order(sent: Sent, types: tuple[str, ...]) -> None:
    numbers = (sent.get("txnAmt", ""), sent.get("txnTime", ""))
    if (
        sent.get("txnType") not in types
        or not _ORDER_ID.fullmatch(sent.get("orderId", ""))
        or any(not re.fullmatch(r"\d{1,14}", number) for number in numbers)
        or int(numbers[0]) == 0
        or sent.get("currencyCode") != "156"
        or (sent["txnType"] in ("01", "02") and not re.fullmatch(r"\d{14}", sent.get("payTimeout", "")))
    ):
        raise Refused("10", "报文格式错误")


def _meant(sent: Sent) -> dict[str, str]:
    """What makes an order the same one, whichever certificate signed it."""
    return {name: value for name, value in sent.items() if name not in ("certId", "signature")}


def _query(world: World, account: Account, sent: Sent) -> dict[str, str]:
    order = orders.find(world, account.merchant, sent.get("orderId", ""), sent.get("txnTime", ""))
    if order is None:
        raise Refused("34")
    return {
        **orders.told(world, order),
        "origRespCode": order.resp_code,
        "origRespMsg": orders.WORDS.get(order.resp_code, ""),
    }


def _back(world: World, account: Account, sent: Sent) -> dict[str, str]:
    _check_order(sent, tuple(_ORIGINALS))
    if orders.find(world, account.merchant, sent["orderId"], sent["txnTime"]):
        raise Refused("12")
    original = orders.with_query_id(world, account.merchant, sent.get("origQryId", ""))
    if (
        original is None
        or original.resp_code != "00"
        or original.txn_type not in _ORIGINALS[sent["txnType"]].split()
    ):
        raise Refused("35")
    _DONE[sent["txnType"]](world, original, int(sent["txnAmt"]))
    orders.move(world, account.merchant, sent, original.payment)
    return {}


def _complete(world: World, original: Order, amount: int) -> None:
    payment = payments.get_payment(world, original.payment)
    if payment.state != "authorized":
        raise Refused("35")
    if amount > original.amount:
        raise Refused("36")
    payments.add_captured(world, payment.id, amount)


def _undo_hold(world: World, original: Order, amount: int) -> None:
    if payments.get_payment(world, original.payment).state != "authorized":
        raise Refused("35")
    if amount != original.amount:
        raise Refused("36")
    payments.set_state(world, original.payment, "closed")


def _undo(world: World, original: Order, amount: int) -> None:
    """Only on UnionPay's own day, whole, and when nothing went back yet."""
    payment = payments.get_payment(world, original.payment)
    if payment.refunded or orders.settle_day(original.done_at or 0) != orders.settle_day(world.now()):
        raise Refused("35")
    if amount != original.amount:
        raise Refused("36")
    payments.add_refunded(world, payment.id, amount)


def _refund(world: World, original: Order, amount: int) -> None:
    payment = payments.get_payment(world, original.payment)
    if payment.refunded + amount > payment.captured:
        raise Refused("36")
    payments.add_refunded(world, payment.id, amount)


_DONE: dict[str, Callable[[World, Order, int], None]] = {
    "03": _complete,
    "04": _refund,
    "31": _undo,
    "32": _undo_hold,
    "33": _undo,
}


def _file(world: World, account: Account, sent: Sent) -> dict[str, str]:
    day = sent.get("settleDate", "")
    if settlement.is_late(world, account, day):
        raise Refused("06")
    packed = settlement.packed(world, account, day)
    if not packed:
        raise Refused("98")
    return {"settleDate": day, "fileType": sent.get("fileType", ""), **packed}
