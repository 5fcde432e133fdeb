"""A bank: an account for each merchant, a feed of its lines, notices, and orders that send money back."""

from collections.abc import Mapping
from typing import Any

from starlette.routing import BaseRoute

from sandbox import payments
from sandbox.bank import deposits, gateway, ledger, online, statements
from sandbox.provider import ActionRefused, Delivery, Payment, Provider, SignedRequest, World
from sandbox.secret_signature import signed


class Bank(Provider):
    channel = "bank"
    schema = ledger.SCHEMA
    retry_schedule = (10, 60, 600, 3600, 21600, 86400)
    api_paths = ("/bank/v1/*",)
    movements = ledger.MOVEMENTS
    statements = statements.STATEMENTS

    def prepare(self, world: World) -> None:
        ledger.take_over(world)

    def tick(self, world: World) -> None:
        while deposits.book_arrived(world):
            continue

    def routes(self, world: World) -> list[BaseRoute]:
        return [*gateway.routes(world), *online.routes(world)]

    def onboard(self, world: World, merchant: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        if ledger.account_of(world, merchant=merchant) is None:
            ledger.open_account(world, merchant)
        if url := (asked.get("webhooks") or {}).get("bank"):
            world.storage.run("UPDATE bank_accounts SET webhook = ? WHERE merchant = ?", url, merchant)
        account = ledger.account_of(world, merchant=merchant)
        assert account is not None
        return {
            "account": account.account,
            "token": account.token,
            "request_secret": account.request_secret,
            "notice_secret": account.notice_secret,
        }

    def act(self, world: World, payment: Payment, action: str) -> None:
        if payment.state != "waiting":
            raise ActionRefused(f"the transfer is {payment.state}")
        if action == "pay":
            ledger.arrive(world, payment)
        elif action == "decline":
            payments.set_state(world, payment.id, "failed")
        elif action == "expire":
            payments.set_state(world, payment.id, "closed")
        elif action != "scan":
            raise ActionRefused(f"the bank knows no {action!r}")

    def keep_appointment(self, world: World, payment: Payment, deed: str, content: str) -> None:
        if deed != ledger.SETTLE:
            raise ActionRefused(f"the bank knows no {deed!r}")
        ledger.settle_order(world, payment.merchant, content)

    def sign(self, world: World, delivery: Delivery) -> SignedRequest:
        account = ledger.account_of(world, merchant=delivery.merchant)
        assert account is not None
        body = delivery.content.encode("utf-8")
        signature = signed(account.notice_secret, int(world.wall()), body)
        return SignedRequest({"Content-Type": "application/json", "Bank-Signature": signature}, body)

    def mark(self, world: World, merchant: str) -> str:
        account = ledger.account_of(world, merchant=merchant)
        return account.token if account else ""
