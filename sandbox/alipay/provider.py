"""Alipay: RSA2 gateway, notifications by form, and the wallet that a phone shows after the scan."""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox import keys, wallet
from sandbox.alipay import bills, certificates, control, gateway, refunds, signing, trades
from sandbox.provider import ActionRefused, Delivery, Payment, Provider, SignedRequest, Trouble, World

# what the gateway says itself when it is not well; like every answer of its own with HTTP 200
_TROUBLES = {
    500: {
        "code": "20000",
        "msg": "Service Currently Unavailable",
        "sub_code": "isp.unknow-error",
        "sub_msg": "系统繁忙",
    },
    429: {
        "code": "40005",
        "msg": "Call Limited",
        "sub_code": "aop.app-call-limited",
        "sub_msg": "应用调用次数超限",
    },
}


class Alipay(Provider):
    channel = "alipay"
    api_paths = ("/alipay/gateway.do",)
    schema = trades.SCHEMA + signing.SCHEMA + refunds.SCHEMA + bills.SCHEMA
    movements = bills.MOVEMENTS
    statements = bills.STATEMENTS
    pays_out = bills.PAYS_OUT
    retry_schedule = (240, 600, 600, 3600, 7200, 21600, 54000)

    def prepare(self, world: World) -> None:
        signing.private_pem(world)

    def routes(self, world: World) -> list[BaseRoute]:
        async def call(request: Request) -> Response:
            return await gateway.answer(world, request)

        shown = wallet.Wallet("alipay", trades.payment_with_code, _back)
        return [
            Route("/alipay/gateway.do", call, methods=["GET", "POST"]),
            *bills.routes(world),
            *control.routes(world),
            *wallet.routes(world, shown),
        ]

    def onboard(self, world: World, merchant: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        given = asked.get("alipay") or {}
        if trades.account_of(world, merchant=merchant) is None:
            numbers = (f"{prefix}{secrets.randbelow(10**12):012d}" for prefix in ("2021", "2088"))
            world.storage.run(
                "INSERT INTO alipay_accounts (merchant, app_id, seller_id) VALUES (?, ?, ?)",
                merchant,
                *numbers,
            )
        if pem := given.get("app_public_key"):
            keys.public_key(pem)
            world.storage.run(
                "UPDATE alipay_accounts SET app_public_key = ? WHERE merchant = ?", pem, merchant
            )
        account = trades.account_of(world, merchant=merchant)
        assert account is not None
        told = {
            "app_id": account.app_id,
            "seller_id": account.seller_id,
            "alipay_public_key": keys.public_pem(signing.private_pem(world)),
        }
        if given.get("certificates"):
            told |= {
                "app_certificate": certificates.of_application(world, account.app_id, account.app_public_key),
                "alipay_certificate": certificates.of_alipay(world, signing.private_pem(world)),
                "alipay_root_certificate": certificates.root(world),
            }
        return told

    def act(self, world: World, payment: Payment, action: str) -> None:
        if action == "scan":
            trades.scan(world, payment)
        elif action == "pay":
            trades.pay(world, payment)
        elif action == "decline":
            trades.scan(world, payment)
            trades.close(world, payment, "failed")
        elif action == "expire":
            trades.close(world, payment, "closed")
        else:
            raise ActionRefused(f"Alipay knows no {action!r}")

    def sign(self, world: World, delivery: Delivery) -> SignedRequest:
        fields = json.loads(delivery.content)
        fields |= {"notify_time": trades.written_time(world.now()), "sign_type": "RSA2"}
        signature = signing.signature_for(world, delivery.merchant)
        fields["sign"] = keys.sign(signature.pem, signing.notice_text(fields))
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        return SignedRequest(headers, urlencode(sorted(fields.items())).encode("ascii"))

    def acknowledged(self, status: int, body: bytes) -> bool:
        """Only these seven characters count; anything else is sent again."""
        return status == 200 and body == b"success"

    def mark(self, world: World, merchant: str) -> str:
        account = trades.account_of(world, merchant=merchant)
        return account.app_id if account else ""

    def trouble(self, world: World, status: int, path: str, text: str) -> Trouble | None:
        method, app_id = re.search(r"\bmethod=([\w.]+)", text), re.search(r"\bapp_id=(\d+)", text)
        account = trades.account_of(world, app_id=app_id.group(1)) if app_id else None
        if status not in _TROUBLES or method is None or account is None:
            return None
        signature = signing.signature_for(world, account.merchant, certified="app_cert_sn=" in text)
        body = signing.answer_body(method.group(1), _TROUBLES[status], signature)
        return Trouble(200, body, "text/html;charset=utf-8")

    def for_merchant(self, world: World, delivery: Delivery, merchant: str) -> Delivery | None:
        other = trades.account_of(world, merchant=merchant)
        if other is None:
            return None
        named = {"app_id": other.app_id, "auth_app_id": other.app_id, "seller_id": other.seller_id}
        content = json.dumps({**json.loads(delivery.content), **named}, ensure_ascii=False)
        return replace(delivery, merchant=merchant, content=content)

    def contradiction(self, world: World, delivery: Delivery) -> tuple[str, str, str] | None:
        """The trade as it was before it was paid."""
        told = json.loads(delivery.content)
        if told.get("trade_status") != "TRADE_SUCCESS" or "refund_fee" in told:
            return None
        for name in ("gmt_payment", "fund_bill_list", "receipt_amount", "invoice_amount", "buyer_pay_amount"):
            told.pop(name, None)
        told |= {"notify_id": secrets.token_hex(17), "trade_status": "WAIT_BUYER_PAY"}
        return told["notify_id"], told["trade_status"], json.dumps(told, ensure_ascii=False)


def _back(world: World, payment: Payment, request: Request) -> str:
    """The shop's return address with Alipay's signed parameters; they prove nothing about the money."""
    trade = trades.trade_of(world, payment.id)
    account = trades.account_of(world, merchant=payment.merchant)
    if not trade.return_url or account is None:
        return ""
    if payment.state != "paid":
        return trade.return_url
    kind = "wap" if trade.product == "QUICK_WAP_WAY" else "page"
    fields = {
        "charset": "utf-8",
        "out_trade_no": payment.reference,
        "method": f"alipay.trade.{kind}.pay.return",
        "total_amount": trades.yuan(payment.amount),
        "trade_no": trade.trade_no,
        "auth_app_id": account.app_id,
        "version": "1.0",
        "app_id": account.app_id,
        "seller_id": account.seller_id,
        "timestamp": trades.written_time(world.now()),
    }
    pem = signing.signature_for(world, payment.merchant).pem
    signature = keys.sign(pem, signing.notice_text(fields))
    joint = "&" if "?" in trade.return_url else "?"
    return f"{trade.return_url}{joint}{urlencode({**fields, 'sign_type': 'RSA2', 'sign': signature})}"
