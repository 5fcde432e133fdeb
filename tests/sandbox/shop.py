"""A merchant that knows nothing of our channels."""

import hashlib
import hmac
import time
from typing import Any

import httpx

from tests.channels.world import HTTP, Arrived, Sandbox


class Shop:
    """A merchant that speaks Stripe's wire protocol without the SDK."""

    def __init__(self, sandbox: Sandbox, name: str = "shop", webhook: str = "") -> None:
        self.name = name
        self.url = sandbox.url + "/stripe/v1/"
        self.merchant = sandbox.onboard(name=name, webhooks={"stripe": webhook})
        self.keys: dict[str, str] = self.merchant["stripe"]
        self.headers = {"Authorization": f"Bearer {self.keys['secret_key']}"}
        self.payment = {
            "amount": "500",
            "currency": "cny",
            "confirm": "true",
            "payment_method": "pm_card_visa",
        }

    def post(self, path: str, data: dict[str, str], key: str = "", secret: str = "") -> httpx.Response:
        headers = {"Authorization": f"Bearer {secret or self.keys['secret_key']}"}
        if key:
            headers["Idempotency-Key"] = key
        return HTTP.post(self.url + path, data=data, headers=headers)

    def get(self, path: str) -> Any:
        return HTTP.get(self.url + path, headers=self.headers).json()

    def pay(self, key: str = "", **changed: str) -> httpx.Response:
        return self.post("payment_intents", {**self.payment, **changed}, key)

    def refund(self, intent: str, amount: int, key: str = "") -> httpx.Response:
        return self.post("refunds", {"payment_intent": intent, "amount": str(amount)}, key)

    def proves(self, arrived: Arrived) -> bool:
        """Whether the notification is signed with this shop's secret, and not long ago."""
        parts = [part.partition("=") for part in arrived.headers["stripe-signature"].split(",")]
        moment = next(value for name, _, value in parts if name == "t")
        text = f"{moment}.".encode() + arrived.body
        made = hmac.new(self.keys["webhook_secret"].encode(), text, hashlib.sha256).hexdigest()
        fresh = abs(time.time() - int(moment)) < 300
        return fresh and any(hmac.compare_digest(made, value) for name, _, value in parts if name == "v1")
