"""e-CNY through a gateway of the generic profile: signed JSON, signed notices, and the wallet of a phone."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute

from sandbox import keys, wallet
from sandbox.ecny import bills, gateway, orders, signing
from sandbox.provider import ActionRefused, Delivery, Payment, Provider, SignedRequest, World


class Ecny(Provider):
    channel = "ecny"
    schema = orders.SCHEMA
    movements = bills.MOVEMENTS
    statements = bills.STATEMENTS
    pays_out = bills.PAYS_OUT
    retry_schedule = (15, 30, 180, 600, 1800, 3600, 21600)
    api_paths = ("/ecny/v1/orders*", "/ecny/v1/refunds*")

    def routes(self, world: World) -> list[BaseRoute]:
        shown = wallet.Wallet("ecny", orders.payment_with_code, _back)
        return [*gateway.routes(world), *wallet.routes(world, shown)]

    def onboard(self, world: World, merchant: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        given = asked.get("ecny") or {}
        if orders.account_of(world, merchant=merchant) is None:
            mch_id = f"EC{secrets.randbelow(10**10):010d}"
            world.storage.run("INSERT INTO ecny_accounts (merchant, mch_id) VALUES (?, ?)", merchant, mch_id)
        if pem := given.get("merchant_public_key"):
            keys.public_key(pem)
            world.storage.run("UPDATE ecny_accounts SET public_key = ? WHERE merchant = ?", pem, merchant)
        account = orders.account_of(world, merchant=merchant)
        assert account is not None
        return {
            "mch_id": account.mch_id,
            "gateway_keys": {
                key_id: keys.public_pem(signing.private_pem(world, key_id)) for key_id in signing.KEY_IDS
            },
        }

    def act(self, world: World, payment: Payment, action: str) -> None:
        if action == "scan":
            if payment.state != "waiting":
                raise ActionRefused(f"the payment is {payment.state}")
        elif action == "pay":
            orders.pay(world, payment)
        elif action == "decline":
            orders.close(world, payment, "failed", tell=True)
        elif action == "expire":
            orders.close(world, payment, "closed", tell=True)
        else:
            raise ActionRefused(f"e-CNY knows no {action!r}")

    def sign(self, world: World, delivery: Delivery) -> SignedRequest:
        fields = signing.signed(world, json.loads(delivery.content))
        body = json.dumps(fields, ensure_ascii=False).encode("utf-8")
        return SignedRequest({"Content-Type": "application/json"}, body)

    def acknowledged(self, status: int, body: bytes) -> bool:
        return status == 200 and body == b"success"


def _back(world: World, payment: Payment, request: Request) -> str:
    """Where the page of a phone returns to; a code that was scanned has no such place."""
    order = orders.order_of(world, payment.id)
    return order.said("return_url") if order.said("scene") == "h5" else ""
