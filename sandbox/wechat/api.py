"""WeChat Pay's v3 API: each request's Authorization is verified, each answer is signed."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox import payments
from sandbox.provider import ActionRefused, Payment, World
from sandbox.wechat import orders, signing
from sandbox.wechat.orders import Account

_CODE_LIVES_SECONDS = 2 * 3600
_LARGEST_FEN = 10_000_000_000
_TRADE_NUMBER = re.compile(r"[0-9A-Za-z_\-|*]{6,32}\Z")
_REFUND_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}\Z")

Content = Mapping[str, Any]
Answer = tuple[int, dict[str, Any] | None]
Handler = Callable[[World, Account, Request, Content], Answer]


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def routes(world: World) -> list[BaseRoute]:
    """The API under /wechat, and at the root as on WeChat's own host."""
    pay, refunds = "/v3/pay/transactions", "/v3/refund/domestic/refunds"
    table: list[tuple[str, str, Handler]] = [
        ("POST", f"{pay}/native", _native),
        ("POST", f"{pay}/h5", _h5),
        ("GET", f"{pay}/out-trade-no/{{number}}", _query),
        ("GET", f"{pay}/id/{{transaction}}", _query_by_id),
        ("POST", f"{pay}/out-trade-no/{{number}}/close", _close),
        ("POST", refunds, _refund),
        ("GET", f"{refunds}/{{number}}", _query_refund),
        ("GET", "/v3/certificates", _certificates),
    ]
    return [
        Route(prefix + path, _endpoint(world, handler), methods=[method])
        for prefix in ("/wechat", "")
        for method, path, handler in table
    ]


def _endpoint(world: World, handler: Handler) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        body = await request.body()
        try:
            with world.storage.transaction():
                account = _authenticated(world, request, body)
            with world.storage.transaction():
                status, fields = handler(world, account, request, _content(body))
        except signing.SignError as error:
            status, fields = 401, {"code": "SIGN_ERROR", "message": str(error)}
        except Refused as refused:
            status, fields = refused.status, {"code": refused.code, "message": refused.message}
        raw = b"" if fields is None else json.dumps(fields, ensure_ascii=False).encode("utf-8")
        headers = signing.signature_headers(world, raw)
        return Response(raw, status, headers, media_type="application/json" if raw else None)

    return endpoint


def _authenticated(world: World, request: Request, body: bytes) -> Account:
    parts = signing.authorization_parts(request.headers.get("authorization", ""))
    account = orders.account_of(world, mchid=parts["mchid"])
    if account is None or not account.public_key:
        raise signing.SignError("商户号不存在或未配置证书")
    if parts["serial_no"].upper() != account.serial:
        raise signing.SignError("商户证书序列号有误")
    if request.headers.get("wechatpay-serial", signing.key_id(world)) != signing.key_id(world):
        raise Refused(400, "PARAM_ERROR", "Wechatpay-Serial 不是有效的微信支付公钥ID")
    query = request.scope["query_string"].decode("ascii")
    target = request.scope["raw_path"].decode("ascii") + (f"?{query}" if query else "")
    signing.check_request(world, parts, account.public_key, method=request.method, target=target, body=body)
    return account


def _content(body: bytes) -> Content:
    if not body:
        return {}
    try:
        content = json.loads(body)
    except ValueError as problem:
        raise Refused(400, "PARAM_ERROR", "请求体不是 JSON") from problem
    if not isinstance(content, dict):
        raise Refused(400, "PARAM_ERROR", "请求体不是对象")
    return content


def _native(world: World, account: Account, request: Request, content: Content) -> Answer:
    order = _ordered(world, account, content, "NATIVE")
    return 200, {"code_url": f"{world.public_url}/wallet/wechat/{order.code}"}


def _h5(world: World, account: Account, request: Request, content: Content) -> Answer:
    scene = content.get("scene_info")
    if not isinstance(scene, dict) or not scene.get("payer_client_ip") or not scene.get("h5_info"):
        raise Refused(400, "PARAM_ERROR", "scene_info.payer_client_ip 与 h5_info 必填")
    order = _ordered(world, account, content, "MWEB")
    return 200, {"h5_url": f"{world.public_url}/wallet/wechat/{order.code}?package=1"}


def _ordered(world: World, account: Account, content: Content, trade_type: str) -> orders.Order:
    """The order of this number: a new one, or the same again when nothing about it differs."""
    _check_order(world, account, content)
    known = payments.payment_for(
        world, channel="wechat", merchant=account.merchant, reference=content["out_trade_no"]
    )
    if known is None:
        return orders.open_order(
            world,
            account=account,
            trade_type=trade_type,
            asked=content,
            expires_at=_expires_at(world, content),
        )
    order = orders.order_of(world, known.id)
    if order.paid_at is not None:
        raise Refused(400, "INVALID_REQUEST", "该订单已支付")
    if order.trade_state == "CLOSED":
        raise Refused(400, "ORDER_CLOSED", "该订单已关闭")
    if (order.asked, order.trade_type) != (json.dumps(content, sort_keys=True), trade_type):
        raise Refused(400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致")
    return order


def _check_order(world: World, account: Account, content: Content) -> None:
    if content.get("appid") != account.appid or content.get("mchid") != account.mchid:
        raise Refused(400, "APPID_MCHID_NOT_MATCH", "appid和mchid不匹配")
    number, description = content.get("out_trade_no"), content.get("description")
    if not isinstance(number, str) or not _TRADE_NUMBER.match(number):
        raise Refused(400, "PARAM_ERROR", "out_trade_no 格式错误")
    if not isinstance(description, str) or not 1 <= len(description.encode()) <= 127:
        raise Refused(400, "PARAM_ERROR", "description 格式错误")
    address = content.get("notify_url")
    if not isinstance(address, str) or not address.startswith("http") or "?" in address:
        raise Refused(400, "PARAM_ERROR", "notify_url 格式错误")
    amount = content.get("amount")
    if not isinstance(amount, dict) or type(amount.get("total")) is not int:
        raise Refused(400, "PARAM_ERROR", "amount.total 必须为整数")
    if not 1 <= amount["total"] <= _LARGEST_FEN:
        raise Refused(400, "PARAM_ERROR", "amount.total 超出范围")
    if amount.get("currency", "CNY") != "CNY":
        raise Refused(400, "PARAM_ERROR", "amount.currency 仅支持 CNY")


def _expires_at(world: World, content: Content) -> float:
    latest = world.now() + _CODE_LIVES_SECONDS
    if "time_expire" not in content:
        return latest
    try:
        moment = datetime.fromisoformat(str(content["time_expire"]))
    except ValueError as problem:
        raise Refused(400, "PARAM_ERROR", "time_expire 格式错误") from problem
    if moment.tzinfo is None:
        raise Refused(400, "PARAM_ERROR", "time_expire 格式错误")
    # a time that is too near is moved to one minute from now
    return min(max(world.from_merchant(moment.timestamp()), world.now() + 60), latest)


def _found(world: World, account: Account, request: Request) -> Payment:
    number = request.path_params["number"]
    payment = payments.payment_for(world, channel="wechat", merchant=account.merchant, reference=number)
    if payment is None:
        raise Refused(404, "ORDER_NOT_EXIST", "订单不存在")
    return payment


def _query(world: World, account: Account, request: Request, content: Content) -> Answer:
    if request.query_params.get("mchid") != account.mchid:
        raise Refused(400, "PARAM_ERROR", "mchid 错误")
    return 200, orders.transaction(world, _found(world, account, request))


def _query_by_id(world: World, account: Account, request: Request, content: Content) -> Answer:
    if request.query_params.get("mchid") != account.mchid:
        raise Refused(400, "PARAM_ERROR", "mchid 错误")
    payment = orders.payment_with_transaction(world, account, request.path_params["transaction"])
    if payment is None:
        raise Refused(404, "ORDER_NOT_EXIST", "订单不存在")
    return 200, orders.transaction(world, payment)


def _close(world: World, account: Account, request: Request, content: Content) -> Answer:
    if content.get("mchid") != account.mchid:
        raise Refused(400, "PARAM_ERROR", "mchid 错误")
    payment = _found(world, account, request)
    if orders.order_of(world, payment.id).trade_state == "CLOSED":
        raise Refused(400, "ORDER_CLOSED", "订单已关闭")
    try:
        orders.close(world, payment, "closed")
    except ActionRefused as refusal:
        raise Refused(400, "INVALID_REQUEST", "该订单已支付") from refusal
    return 204, None


def _refund(world: World, account: Account, request: Request, content: Content) -> Answer:
    payment = _refundable(world, account, content)
    number, amount = content.get("out_refund_no"), content.get("amount")
    if not isinstance(number, str) or not _REFUND_NUMBER.match(number):
        raise Refused(400, "PARAM_ERROR", "out_refund_no 格式错误")
    if not isinstance(amount, dict) or any(type(amount.get(of)) is not int for of in ("refund", "total")):
        raise Refused(400, "PARAM_ERROR", "amount 格式错误")
    if amount["refund"] < 1 or amount.get("currency") != "CNY":
        raise Refused(400, "PARAM_ERROR", "amount 格式错误")
    done = orders.refund_of(world, account, number)
    if done is not None:
        if (done.payment, done.amount) != (payment.id, amount["refund"]):
            raise Refused(400, "INVALID_REQUEST", "退款单号已存在，参数与首次请求时不一致")
        return 200, orders.refund_json(world, done, "status")
    if amount["total"] != payment.amount:
        raise Refused(400, "INVALID_REQUEST", "订单金额不一致")
    if payment.refunded + amount["refund"] > payment.captured:
        raise Refused(400, "INVALID_REQUEST", "累计退款金额大于支付金额")
    done = orders.refund(
        world,
        account,
        payment,
        number=number,
        amount=amount["refund"],
        reason=str(content.get("reason") or ""),
        url=str(content.get("notify_url") or ""),
    )
    return 200, orders.refund_json(world, done, "status", "PROCESSING")


def _refundable(world: World, account: Account, content: Content) -> Payment:
    if content.get("transaction_id"):
        payment = orders.payment_with_transaction(world, account, str(content["transaction_id"]))
    else:
        number = str(content.get("out_trade_no") or "")
        payment = payments.payment_for(world, channel="wechat", merchant=account.merchant, reference=number)
    if payment is None:
        raise Refused(404, "RESOURCE_NOT_EXISTS", "订单不存在")
    if not payment.captured:
        raise Refused(400, "INVALID_REQUEST", "订单未支付")
    return payment


def _query_refund(world: World, account: Account, request: Request, content: Content) -> Answer:
    refund = orders.refund_of(world, account, request.path_params["number"])
    if refund is None:
        raise Refused(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
    return 200, orders.refund_json(world, refund, "status")


def _certificates(world: World, account: Account, request: Request, content: Content) -> Answer:
    raise Refused(404, "RESOURCE_NOT_EXISTS", "无可用的平台证书，请使用微信支付公钥")
