"""A processor of hosted invoices: the shop prices in its currency, the customer pays in coins on a page of its own."""

import secrets
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute

from sandbox import wallet
from sandbox.crypto import gateway, invoices
from sandbox.provider import ActionRefused, Delivery, Payment, Provider, SignedRequest, World
from sandbox.secret_signature import signed

_PAID = {"pay": (1, 1), "underpay": (1, 2), "overpay": (3, 2)}


class Crypto(Provider):
    channel = "crypto"
    schema = invoices.SCHEMA
    movements = invoices.MOVEMENTS
    retry_schedule = (10, 60, 600, 3600, 21600, 86400)
    api_paths = ("/crypto/v1/*",)

    def routes(self, world: World) -> list[BaseRoute]:
        shown = wallet.Wallet("crypto", invoices.payment_with_code, _back)
        return [*gateway.routes(world), *wallet.routes(world, shown)]

    def onboard(self, world: World, merchant: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        if invoices.store_of(world, merchant=merchant) is None:
            world.storage.run(
                "INSERT INTO crypto_stores (merchant, store, api_key, secret) VALUES (?, ?, ?, ?)",
                *(merchant, world.new_id("sto_"), f"crypto_{secrets.token_hex(20)}", secrets.token_hex(32)),
            )
        store = invoices.store_of(world, merchant=merchant)
        assert store is not None
        return {"store": store.store, "api_key": store.api_key, "webhook_secret": store.secret}

    def act(self, world: World, payment: Payment, action: str) -> None:
        if action == "see":
            invoices.see(world, payment)
        elif action in _PAID:
            times, share = _PAID[action]
            invoices.settle(world, payment, payment.amount * times // share)
        elif action == "decline":
            invoices.close(world, payment, "invalid")
        elif action == "expire":
            invoices.close(world, payment, "expired")
        elif action != "scan":
            raise ActionRefused(f"the processor knows no {action!r}")

    def keep_appointment(self, world: World, payment: Payment, deed: str, content: str) -> None:
        if deed != invoices.SETTLE:
            raise ActionRefused(f"the processor knows no {deed!r}")
        invoices.end_refund(world, payment, content)

    def sign(self, world: World, delivery: Delivery) -> SignedRequest:
        store = invoices.store_of(world, merchant=delivery.merchant)
        assert store is not None
        body = delivery.content.encode("utf-8")
        signature = signed(store.secret, int(world.wall()), body)
        return SignedRequest({"Content-Type": "application/json", "Invoice-Signature": signature}, body)

    def mark(self, world: World, merchant: str) -> str:
        store = invoices.store_of(world, merchant=merchant)
        return store.api_key if store else ""


def _back(world: World, payment: Payment, request: Request) -> str:
    return invoices.invoice_of(world, payment.id).said("return_url")
