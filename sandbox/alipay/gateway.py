"""`/alipay/gateway.do`: verifies the application's RSA2 signature and answers as Alipay does."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox import keys, payments
from sandbox.alipay import bills, certificates, refunds, signing, trades
from sandbox.alipay.trades import Account, Trade
from sandbox.provider import Payment, World

_BEIJING = timezone(timedelta(hours=8))
_LONGEST_LIFE = timedelta(days=15)
_CODE_LIVES = timedelta(hours=2)
PAGES = {"alipay.trade.page.pay": "FAST_INSTANT_TRADE_PAY", "alipay.trade.wap.pay": "QUICK_WAP_WAY"}
_OK = {"code": "10000", "msg": "Success"}

Content = Mapping[str, Any]
Fields = dict[str, Any]
Method = Callable[[World, Account, Mapping[str, str], Content], Fields]


class Refused(Exception):
    """An answer other than 10000; it is not signed while Alipay does not know whom it answers."""

    def __init__(self, code: str, sub_code: str, sub_msg: str) -> None:
        super().__init__(sub_code)
        words = {"40004": "Business Failed", "40001": "Missing Required Arguments"}
        self.fields = {
            "code": code,
            "msg": words.get(code, "Invalid Arguments"),
            "sub_code": sub_code,
            "sub_msg": sub_msg,
        }


def failed(sub_code: str, sub_msg: str) -> Refused:
    return Refused("40004", f"ACQ.{sub_code}", sub_msg)


async def answer(world: World, request: Request) -> Response:
    """One call to the gateway, by GET or POST."""
    method, signature = "error", None
    try:
        sent = _parameters(request.url.query, await request.body())
        method = sent.get("method", "error")
        account = _authenticated(world, sent)
        certified = bool(sent.get("app_cert_sn"))
        signature = signing.signature_for(world, account.merchant, certified=certified)
        content = _content(sent)
        with world.storage.transaction():
            if method in PAGES:
                trade = _page(world, account, sent, content)
                return RedirectResponse(f"{world.public_url}/wallet/alipay/{trade.code}", 302)
            fields = _method(method)(world, account, sent, content)
        return _response(signing.answer_body(method, {**_OK, **fields}, signature))
    except Refused as refused:
        if method in PAGES:
            return Response(f"{refused.fields['sub_code']}: {refused.fields['sub_msg']}", 400)
        return _response(signing.answer_body(method, refused.fields, signature))


def _method(name: str) -> Method:
    if name not in _METHODS:
        raise Refused("40002", "isv.invalid-method", "不存在的方法名")
    return _METHODS[name]


def _response(body: bytes) -> Response:
    return Response(body, media_type="text/html;charset=utf-8")


def _parameters(query: str, body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, errors="strict") + parse_qsl(body.decode("ascii"), errors="strict")
    except ValueError as problem:
        raise Refused("40002", "isv.invalid-parameter", "参数无效") from problem
    if len(dict(pairs)) != len(pairs):
        raise Refused("40002", "isv.invalid-parameter", "参数重复")
    return dict(pairs)


def _authenticated(world: World, sent: Mapping[str, str]) -> Account:
    """The account whose key signed these parameters, checked in the gateway's own order."""
    account = trades.account_of(world, app_id=sent.get("app_id", "?"))
    if account is None:
        raise Refused("40002", "isv.invalid-app-id", "无效的AppID参数")
    if sent.get("sign_type") != "RSA2":
        raise Refused("40002", "isv.invalid-signature-type", "无效签名类型")
    if sent.get("charset", "").lower() != "utf-8" or sent.get("version") != "1.0":
        raise Refused("40002", "isv.invalid-charset", "字符集错误")
    if _moment(sent.get("timestamp", "")) is None:
        raise Refused("40002", "isv.invalid-timestamp", "无效时间戳")
    if not account.app_public_key:
        raise Refused("40002", "isv.missing-signature-key", "应用未配置公钥")
    key = keys.public_key(account.app_public_key)
    if not keys.verifies(key, signing.request_text(sent), sent.get("sign", "")):
        raise Refused(
            "40002",
            "isv.invalid-signature",
            "验签出错，请检查签名字符串或签名私钥与应用公钥是否匹配",
        )
    _check_certificates(world, account, sent)
    return account


def _check_certificates(world: World, account: Account, sent: Mapping[str, str]) -> None:
    """Certificate mode names the application's certificate and Alipay's root, or neither."""
    if not sent.get("app_cert_sn") and not sent.get("alipay_root_cert_sn"):
        return
    ours = certificates.of_application(world, account.app_id, account.app_public_key)
    if sent.get("app_cert_sn") != certificates.serial(ours):
        raise Refused("40002", "isv.invalid-app-cert-sn", "应用公钥证书序列号错误")
    if sent.get("alipay_root_cert_sn") != certificates.serial(certificates.root(world)):
        raise Refused("40002", "isv.invalid-alipay-root-cert-sn", "支付宝根证书序列号错误")


def _content(sent: Mapping[str, str]) -> Content:
    try:
        content = json.loads(sent.get("biz_content", ""), parse_float=Decimal)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise Refused("40002", "isv.invalid-parameter", "biz_content 无效")
    return content


def _moment(text: object) -> datetime | None:
    try:
        return datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=_BEIJING)
    except ValueError:
        return None


def _fen(value: object) -> int:
    """A yuan amount with at most two decimals; python-alipay-sdk's users send numbers, Alipay takes them."""
    try:
        fen = Decimal(str(value)) * 100
        exact = fen == int(fen)
    except (InvalidOperation, ValueError, OverflowError):
        exact, fen = False, Decimal(0)
    if not exact or not 1 <= fen <= 100_000_000_00:
        raise failed("INVALID_PARAMETER", "金额无效")
    return int(fen)


def _expires_at(world: World, content: Content, longest: timedelta) -> float:
    latest = world.now() + longest.total_seconds()
    if not content.get("time_expire"):
        return latest
    moment = _moment(content["time_expire"])
    if moment is None or world.from_merchant(moment.timestamp()) <= world.now():
        raise failed("INVALID_PARAMETER", "time_expire 无效")
    return min(world.from_merchant(moment.timestamp()), latest)


def _order(
    world: World,
    account: Account,
    sent: Mapping[str, str],
    content: Content,
    product: str,
    longest: timedelta,
) -> Trade:
    """The order of this number: a new one, or the same again when nothing about it differs."""
    reference, subject = str(content.get("out_trade_no") or ""), str(content.get("subject") or "")
    if not 1 <= len(reference) <= 64 or not 1 <= len(subject) <= 256:
        raise failed("INVALID_PARAMETER", "参数无效：out_trade_no 或 subject")
    if any(character in "/=&" for character in subject):
        raise failed("INVALID_PARAMETER", "subject 含有特殊字符")
    amount = _fen(content.get("total_amount"))
    known = payments.payment_for(world, channel="alipay", merchant=account.merchant, reference=reference)
    if known is not None:
        return _again(world, known, amount, product)
    return trades.open_trade(
        world,
        account=account,
        product=product,
        reference=reference,
        amount=amount,
        subject=subject,
        notify_url=sent.get("notify_url", ""),
        return_url=sent.get("return_url", ""),
        expires_at=_expires_at(world, content, longest),
    )


def _again(world: World, known: Payment, amount: int, product: str) -> Trade:
    trade = trades.trade_of(world, known.id)
    if known.captured:
        raise failed("TRADE_HAS_SUCCESS", "交易已被支付")
    if known.state != "waiting":
        raise failed("TRADE_HAS_CLOSE", "交易已经关闭")
    if (known.amount, trade.product) != (amount, product):
        raise failed("CONTEXT_INCONSISTENT", "交易信息被篡改")
    return trade


def _page(world: World, account: Account, sent: Mapping[str, str], content: Content) -> Trade:
    return _order(world, account, sent, content, PAGES[sent["method"]], _LONGEST_LIFE)


def _precreate(world: World, account: Account, sent: Mapping[str, str], content: Content) -> Fields:
    trade = _order(world, account, sent, content, "FACE_TO_FACE_PAYMENT", _CODE_LIVES)
    code = f"{world.public_url}/wallet/alipay/{trade.code}"
    return {"out_trade_no": str(content["out_trade_no"]), "qr_code": code}


def _found(world: World, account: Account, content: Content) -> tuple[Payment, Trade]:
    """The trade that `trade_no` or `out_trade_no` names; a code that nobody scanned is no trade."""
    number = str(content.get("trade_no") or "")
    column, named = (
        ("t.trade_no", number) if number else ("p.reference", str(content.get("out_trade_no") or ""))
    )
    row = world.storage.row(
        "SELECT p.id FROM payments p JOIN alipay_trades t ON t.payment = p.id"  # noqa: S608
        f" WHERE {column} = ? AND p.merchant = ? AND t.status <> ''",
        *(named, account.merchant),
    )
    if row is None:
        raise failed("TRADE_NOT_EXIST", "交易不存在")
    return payments.get_payment(world, row["id"]), trades.trade_of(world, row["id"])


def _query(world: World, account: Account, sent: Mapping[str, str], content: Content) -> Fields:
    payment, trade = _found(world, account, content)
    paid = trades.yuan(payment.captured)
    fields: Fields = {
        "trade_no": trade.trade_no,
        "out_trade_no": payment.reference,
        "trade_status": trade.status,
        "total_amount": trades.yuan(payment.amount),
        "buyer_pay_amount": paid,
        "receipt_amount": paid,
        "invoice_amount": paid,
        "point_amount": "0.00",
        "subject": trade.subject,
        "store_name": "Sandbox {1/2}",
        "buyer_user_id": trades.BUYER["buyer_id"],
        "buyer_logon_id": trades.BUYER["buyer_logon_id"],
    }
    if trade.paid_at is not None:
        fields["send_pay_date"] = trades.written_time(trade.paid_at)
        fields["fund_bill_list"] = [{"fund_channel": "ALIPAYACCOUNT", "amount": paid}]
    return fields


def _close(world: World, account: Account, sent: Mapping[str, str], content: Content) -> Fields:
    payment, trade = _found(world, account, content)
    if trade.status == "TRADE_SUCCESS":
        raise failed("REASON_TRADE_STATUS_INVALID", "交易状态不合法")
    if trade.status != "WAIT_BUYER_PAY":
        raise failed("TRADE_STATUS_ERROR", "交易状态不合法")
    trades.close(world, payment, "closed")
    return {"trade_no": trade.trade_no, "out_trade_no": payment.reference}


def _cancel(world: World, account: Account, sent: Mapping[str, str], content: Content) -> Fields:
    """Success for what does not exist; it closes what is unpaid and refunds what was paid."""
    echo = {"out_trade_no": str(content.get("out_trade_no") or ""), "retry_flag": "N"}
    try:
        payment, trade = _found(world, account, content)
    except Refused:
        return echo
    if payment.state == "waiting":
        trades.close(world, payment, "closed")
        return {**echo, "trade_no": trade.trade_no, "action": "close"}
    if rest := payment.captured - payment.refunded:
        trades.refund(world, payment, f"cancel-{payment.id}", rest)
        return {**echo, "trade_no": trade.trade_no, "action": "refund"}
    return {**echo, "trade_no": trade.trade_no}


def _refund(world: World, account: Account, sent: Mapping[str, str], content: Content) -> Fields:
    payment, trade = _found(world, account, content)
    amount = _fen(content.get("refund_amount"))
    number = str(content.get("out_request_no") or "")
    if not number and amount != payment.amount:
        raise failed("INVALID_PARAMETER", "部分退款必须传入 out_request_no")
    number = number or payment.reference
    done = trades.refund_of(world, payment.id, number)
    if done and done[0] != amount:
        raise failed("DISCORDANT_REPEAT_REQUEST", "请求不一致")
    if not done:
        _check_refund(payment, amount)
    moved = not done and refunds.refund(world, payment, number, amount)
    now = payments.get_payment(world, payment.id)
    return {
        "trade_no": trade.trade_no,
        "out_trade_no": payment.reference,
        "buyer_user_id": trades.BUYER["buyer_id"],
        "buyer_logon_id": trades.BUYER["buyer_logon_id"],
        "fund_change": "Y" if moved else "N",
        "refund_fee": trades.yuan(now.refunded),
        "send_back_fee": trades.yuan(amount) if moved else "0.00",
        "gmt_refund_pay": trades.written_time(done[1] if done else world.now()),
    }


def _check_refund(payment: Payment, amount: int) -> None:
    if not payment.captured:
        raise failed("TRADE_STATUS_ERROR", "交易状态不合法")
    if payment.refunded + amount > payment.captured:
        raise failed("REFUND_AMT_NOT_EQUAL_TOTAL", "退款金额超限")


def _refund_query(world: World, account: Account, sent: Mapping[str, str], content: Content) -> Fields:
    payment, trade = _found(world, account, content)
    number = str(content.get("out_request_no") or "")
    done = trades.refund_of(world, payment.id, number)
    if done is None:
        return {}  # Alipay says "Success" and nothing else: there is no such refund
    return {
        "trade_no": trade.trade_no,
        "out_trade_no": payment.reference,
        "out_request_no": number,
        "total_amount": trades.yuan(payment.amount),
        "refund_amount": trades.yuan(done[0]),
        "refund_status": "REFUND_SUCCESS",
        "gmt_refund_pay": trades.written_time(done[1]),
    }


def _bill(world: World, account: Account, sent: Mapping[str, str], content: Content) -> Fields:
    kind, day = content.get("bill_type"), bills.read_day(content.get("bill_date"))
    if kind not in bills.KINDS or day is None:
        raise Refused("40004", "isp.invalid-parameter", "bill_type 或 bill_date 无效")
    if bills.is_late(world, account, str(kind), day):
        raise Refused("40004", "isp.system-error", "系统错误，请稍后重试")
    if not bills.is_written(world, account, str(kind), day):
        raise Refused("40004", "isp.bill_not_exist", "账单不存在")
    return {"bill_download_url": bills.address(world, account, str(kind), day)}


_METHODS: dict[str, Method] = {
    "alipay.trade.precreate": _precreate,
    "alipay.trade.query": _query,
    "alipay.trade.close": _close,
    "alipay.trade.cancel": _cancel,
    "alipay.trade.refund": _refund,
    "alipay.trade.fastpay.refund.query": _refund_query,
    "alipay.data.dataservice.bill.downloadurl.query": _bill,
}
