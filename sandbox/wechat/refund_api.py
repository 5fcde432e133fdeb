"""Refunds over WeChat Pay's v3 API: ask, query, and finish one that the customer's bank refused."""

import re

from starlette.requests import Request

from sandbox import payments
from sandbox.provider import Payment, World
from sandbox.wechat import orders, platform_keys, refunds
from sandbox.wechat.answers import Answer, Content, Handler, Refused
from sandbox.wechat.orders import Account

_REFUND_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}\Z")
_BASE = "/v3/refund/domestic/refunds"
_SECRET = ("bank_account", "real_name")


def table() -> list[tuple[str, str, Handler]]:
    return [
        ("POST", _BASE, _refund),
        ("GET", f"{_BASE}/{{number}}", _query_refund),
        ("POST", f"{_BASE}/{{refund_id}}/apply-abnormal-refund", _finish_abnormal),
    ]


def _refund(world: World, account: Account, request: Request, content: Content) -> Answer:
    payment = _refundable(world, account, content)
    number, amount = content.get("out_refund_no"), content.get("amount")
    if not isinstance(number, str) or not _REFUND_NUMBER.match(number):
        raise Refused(400, "PARAM_ERROR", "out_refund_no 格式错误")
    if not isinstance(amount, dict) or any(type(amount.get(of)) is not int for of in ("refund", "total")):
        raise Refused(400, "PARAM_ERROR", "amount 格式错误")
    if amount["refund"] < 1 or amount.get("currency") != "CNY":
        raise Refused(400, "PARAM_ERROR", "amount 格式错误")
    done = refunds.refund_of(world, account, number)
    if done is not None:
        if (done.payment, done.amount) != (payment.id, amount["refund"]):
            raise Refused(400, "INVALID_REQUEST", "退款单号已存在，参数与首次请求时不一致")
        return 200, refunds.refund_json(world, done, "status", done.status)
    if amount["total"] != payment.amount:
        raise Refused(400, "INVALID_REQUEST", "订单金额不一致")
    if payment.refunded + amount["refund"] > payment.captured:
        raise Refused(400, "INVALID_REQUEST", "累计退款金额大于支付金额")
    done = refunds.refund(
        world,
        account,
        payment,
        number=number,
        amount=amount["refund"],
        reason=str(content.get("reason") or ""),
        url=str(content.get("notify_url") or ""),
    )
    return 200, refunds.refund_json(world, done, "status", "PROCESSING")


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
    refund = refunds.refund_of(world, account, request.path_params["number"])
    if refund is None:
        raise Refused(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
    return 200, refunds.refund_json(world, refund, "status", refund.status)


def _finish_abnormal(world: World, account: Account, request: Request, content: Content) -> Answer:
    refund = refunds.refund_of(world, account, str(content.get("out_refund_no") or ""))
    if refund is None or refund.refund_id != request.path_params["refund_id"]:
        raise Refused(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
    if refund.status != "ABNORMAL":
        raise Refused(400, "INVALID_REQUEST", "退款单状态不是退款异常")
    if content.get("type") == "USER_BANK_CARD":
        serial = request.headers.get("wechatpay-serial", "")
        try:
            secret = [
                platform_keys.opened(world, account.merchant, serial, content.get(name)) for name in _SECRET
            ]
        except ValueError as problem:
            raise Refused(400, "PARAM_ERROR", "敏感字段解密失败") from problem
        if not content.get("bank_type") or not all(secret):
            raise Refused(400, "PARAM_ERROR", "bank_type、bank_account 与 real_name 必填")
    elif content.get("type") != "MERCHANT_BANK_CARD":
        raise Refused(400, "PARAM_ERROR", "type 无效")
    done = refunds.end_refund(world, account, refund.out_refund_no, "SUCCESS")
    return 200, refunds.refund_json(world, done, "status", "PROCESSING")
