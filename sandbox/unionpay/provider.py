"""UnionPay: signed forms, notices by form, its own certificate authority, and the page where a card is picked."""

import json
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.routing import BaseRoute

from sandbox import wallet
from sandbox.html import Html, fragment, join
from sandbox.provider import ActionRefused, Delivery, Payment, Provider, SignedRequest, World
from sandbox.unionpay import authority, gateway, orders, settlement, signing


class UnionPay(Provider):
    channel = "unionpay"
    schema = orders.SCHEMA
    movements = settlement.MOVEMENTS
    statements = settlement.STATEMENTS
    pays_out = settlement.PAYS_OUT
    retry_schedule = (60, 120, 240, 300, 600, 1800, 3600)
    api_paths = ("/unionpay/gateway/api/backTransReq.do", "/unionpay/gateway/api/queryTrans.do")

    def prepare(self, world: World) -> None:
        authority.prepare(world)

    def routes(self, world: World) -> list[BaseRoute]:
        shown = wallet.Wallet(
            "unionpay",
            orders.payment_with_code,
            _nowhere,
            actions=("pay_debit", "pay_credit", "decline"),
            choice="unionpay_choice",
            leave=_leave,
        )
        return [*gateway.routes(world), *wallet.routes(world, shown)]

    def onboard(self, world: World, merchant: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        given = asked.get("unionpay") or {}
        if orders.account_of(world, merchant=merchant) is None:
            mer_id = f"7772900{secrets.randbelow(10**8):08d}"
            world.storage.run(
                "INSERT INTO unionpay_accounts (merchant, mer_id) VALUES (?, ?)", merchant, mer_id
            )
        account = orders.account_of(world, merchant=merchant)
        assert account is not None
        pem = given.get("merchant_public_key", "")
        return {
            "mer_id": account.mer_id,
            "merchant_certificate": _certified(world, account, pem) if pem else "",
            "root_certificate": authority.certificate(world, "root"),
            "middle_certificate": authority.certificate(world, "middle"),
            "common_name": authority.IDENTITY,
        }

    def act(self, world: World, payment: Payment, action: str) -> None:
        if action == "scan":
            if payment.state != "waiting":
                raise ActionRefused(f"the payment is {payment.state}")
        elif action in ("pay", "pay_debit", "pay_credit"):
            orders.pay(world, payment, "credit" if action == "pay_credit" else "debit")
        elif action == "decline":
            orders.end(world, payment, "failed", "64")
        elif action == "expire":
            orders.expire(world, payment)
        else:
            raise ActionRefused(f"UnionPay knows no {action!r}")

    def sign(self, world: World, delivery: Delivery) -> SignedRequest:
        fields = signing.signed(world, json.loads(delivery.content))
        headers = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
        return SignedRequest(headers, urlencode(sorted(fields.items())).encode("ascii"))

    def acknowledged(self, status: int, body: bytes) -> bool:
        return status == 200


def _certified(world: World, account: orders.Account, pem: str) -> str:
    """The certificate of this key. Older ones stay valid: a merchant changes its key while orders are on their way."""
    row = world.storage.row(
        "SELECT certificate FROM unionpay_certificates WHERE merchant = ? AND public_key = ?",
        *(account.merchant, pem),
    )
    if row:
        return str(row["certificate"])
    issued = authority.certify(world, pem, account.mer_id)
    text = authority.pem_of(issued)
    world.storage.run(
        "INSERT INTO unionpay_certificates (cert_id, merchant, public_key, certificate) VALUES (?, ?, ?, ?)",
        *(str(issued.serial_number), account.merchant, pem, text),
    )
    return text


def _nowhere(world: World, payment: Payment, request: Request) -> str:
    """UnionPay sends nobody back by itself: the customer presses a button."""
    return ""


def _leave(world: World, payment: Payment) -> Html:
    """The button that posts the signed result to the shop. It proves nothing about the money."""
    order = orders.begun_by(world, payment.id)
    if not order.said("frontUrl"):
        return Html("")
    done = order.resp_code
    fields = signing.signed(
        world,
        {
            **orders.told(world, order),
            "txnType": order.txn_type,
            "txnSubType": order.said("txnSubType"),
            "bizType": order.said("bizType"),
            "respCode": done,
            "respMsg": orders.WORDS.get(done, ""),
        },
    )
    hidden = [fragment("unionpay_field", field=name, value=value) for name, value in sorted(fields.items())]
    return fragment("unionpay_back", url=order.said("frontUrl"), fields=join(hidden))
