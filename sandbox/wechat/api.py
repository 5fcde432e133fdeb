"""WeChat Pay's v3 API: each request's Authorization is verified, each answer is signed."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox import payments
from sandbox.provider import ActionRefused, Payment, World
from sandbox.wechat import bills, orders, platform_keys, refund_api, signing
from sandbox.wechat.answers import Answer, Content, Handler, Refused
from sandbox.wechat.orders import Account

_CODE_LIVES_SECONDS = 2 * 3600
_LARGEST_FEN = 10_000_000_000
_TRADE_NUMBER = re.compile(r"[0-9A-Za-z_\-|*]{6,32}\Z")


def routes(world: World) -> list[BaseRoute]:
    """The API under /wechat, and at the root as on WeChat's own host."""
    pay = "/v3/pay/transactions"
    table: list[tuple[str, str, Handler]] = [
        ("POST", f"{pay}/native", _native),
        ("POST", f"{pay}/h5", _h5),
        ("POST", f"{pay}/jsapi", _jsapi),
        ("GET", f"{pay}/out-trade-no/{{number}}", _query),
        ("GET", f"{pay}/id/{{transaction}}", _query_by_id),
        ("POST", f"{pay}/out-trade-no/{{number}}/close", _close),
        *refund_api.table(),
        *bills.table(),
        ("GET", "/v3/certificates", _certificates),
    ]
    return [
        *(Route(prefix + bills.DOWNLOAD, _download(world), methods=["GET"]) for prefix in ("/wechat", "")),
        *(
            Route(prefix + path, _endpoint(world, handler), methods=[method])
            for prefix in ("/wechat", "")
            for method, path, handler in table
        ),
    ]


def _endpoint(world: World, handler: Handler) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        body, merchant = await request.body(), ""
        try:
            with world.storage.transaction():
                account = _authenticated(world, request, body)
            merchant = account.merchant
            with world.storage.transaction():
                status, fields = handler(world, account, request, _content(body))
        except signing.SignError as error:
            status, fields = 401, {"code": "SIGN_ERROR", "message": str(error)}
        except Refused as refused:
            status, fields = refused.status, {"code": refused.code, "message": refused.message}
        raw = b"" if fields is None else json.dumps(fields, ensure_ascii=False).encode("utf-8")
        headers = signing.signature_headers(world, raw, merchant=merchant)
        return Response(raw, status, headers, media_type="application/json" if raw else None)

    return endpoint


def _download(world: World) -> Callable[[Request], Any]:
    async def download(request: Request) -> Response:
        """A file: whoever fetches it signs, but nobody signs the file."""
        try:
            with world.storage.transaction():
                account = _authenticated(world, request, await request.body())
            return Response(bills.file(world, account, request.query_params.get("token", "")))
        except signing.SignError as error:
            return JSONResponse({"code": "SIGN_ERROR", "message": str(error)}, 401)
        except Refused as refused:
            return JSONResponse({"code": refused.code, "message": refused.message}, refused.status)

    return download


def _authenticated(world: World, request: Request, body: bytes) -> Account:
    parts = signing.authorization_parts(request.headers.get("authorization", ""))
    account = orders.account_of(world, mchid=parts["mchid"])
    if account is None or not account.public_key:
        raise signing.SignError("商户号不存在或未配置证书")
    if parts["serial_no"].upper() != account.serial:
        raise signing.SignError("商户证书序列号有误")
    named = request.headers.get("wechatpay-serial")
    if named and named not in {key.serial for key in platform_keys.held_keys(world, account.merchant)}:
        raise Refused(400, "PARAM_ERROR", "Wechatpay-Serial 不是有效的微信支付公钥ID或平台证书序列号")
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


def _jsapi(world: World, account: Account, request: Request, content: Content) -> Answer:
    payer = content.get("payer")
    if not isinstance(payer, dict) or not payer.get("openid"):
        raise Refused(400, "PARAM_ERROR", "payer.openid 必填")
    order = _ordered(world, account, content, "JSAPI")
    return 200, {"prepay_id": orders.prepay_id(order)}


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


def _certificates(world: World, account: Account, request: Request, content: Content) -> Answer:
    certified = [key for key in platform_keys.held_keys(world, account.merchant) if key.certificate]
    if not certified:
        raise Refused(404, "RESOURCE_NOT_EXISTS", "无可用的平台证书，请使用微信支付公钥")
    listed = [
        {
            "serial_no": key.serial,
            "effective_time": "2025-01-01T08:00:00+08:00",
            "expire_time": "2045-01-01T08:00:00+08:00",
            "encrypt_certificate": signing.sealed_text(key.certificate, account.api_v3_key, "certificate"),
        }
        for key in certified
    ]
    return 200, {"data": listed}
