"""Customers who buy by the API up to the moment when only the provider's word is missing."""

from typing import Any
from uuid import uuid4

from bench.wire import ask, send
from tests.stack.copy import Stack

_ADDRESS = {
    "name": "Lin Yue",
    "phone": "+86 138 0013 8000",
    "country": "CN",
    "region": "Zhejiang",
    "city": "Hangzhou",
    "line1": "1 Wenyi Road",
    "postal_code": "310000",
}
# The customer's bank wants to see them, so that the result comes by notification.
_CARD = "pm_card_threeDSecure2Required"


class Buyer:
    def __init__(self, stack: Stack) -> None:
        self._port = stack.port
        self._key = stack.manage("issue_api_key", "--name", "bench").strip()

    def order(self) -> str:
        """Quote and order; the order's id."""
        cart = {"items": [{"sku": "desk-lamp", "quantity": 1}]}
        preview = self._post("checkout/preview", {**cart, "region": "CN"})
        email = f"buyer-{uuid4().hex[:12]}@example.com"
        wish = {**cart, "quote": preview["quote"], "address": _ADDRESS, "email": email}
        return str(self._post("orders", wish)["id"])

    def begin_to_pay(self, order: str, method: str) -> Any:
        """The payment, which waits for the customer from now on."""
        wish = {"order": order, "method": method} | ({"instrument": _CARD} if method == "card" else {})
        payment = self._post("payments", wish)
        assert payment["state"] == "REQUIRES_ACTION", payment
        return payment

    def _post(self, path: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self._key}", "Idempotency-Key": uuid4().hex}
        return ask("POST", self._port, f"/api/v1/{path}", headers, body)


def pay_waiting(stack: Stack) -> int:
    """Every customer who waits at a provider pays; returns how many did."""
    waiting = ask("GET", stack.port + 1, "/control/payments?state=waiting", {})["payments"]
    for payment in waiting:
        status, answer = send("POST", stack.port + 1, f"/control/payments/{payment['id']}/pay", {}, b"")
        assert status == 200, answer
    return len(waiting)
