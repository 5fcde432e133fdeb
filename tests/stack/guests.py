"""Guests with an HTTP client: each buys one thing and does not give up before it is paid."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.patience import PATIENCE

ADDRESS = {
    "name": "Lin Yue",
    "phone": "+86 138 0013 8000",
    "country": "CN",
    "region": "Zhejiang",
    "city": "Hangzhou",
    "line1": "1 Wenyi Road",
    "postal_code": "310000",
}
_LATER = {"idempotency_key_in_flight", "payment_in_progress", "payment_outcome_unknown"}


@dataclass
class Guest:
    """`payable` is what the order costs; every guest takes another quantity, so sums tell guests apart."""

    shop: str
    sandbox: str
    quantity: int
    method: str
    instrument: str = ""
    order: str = ""
    token: str = ""
    payable: int = 0
    payments: list[str] = field(default_factory=list)  # every POST's answer: the payment's state
    asking: bool = False  # waits for the answer to POST payments
    began: bool = False
    unanswered: int = 0  # requests that broke off
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30, trust_env=False))

    def buy(self) -> "Guest":
        with self.http:
            self._place()
            payment = self._pay()
            while payment["state"] != "SUCCEEDED":
                if payment["state"] == "FAILED":
                    payment = self._pay()
                    continue
                if payment["state"] == "REQUIRES_ACTION":
                    self._act(payment["next_action"])
                time.sleep(0.5)
                payment = self._until_answered("GET", f"payments/{payment['id']}").json()
        return self

    def _place(self) -> None:
        cart = {"items": [{"sku": "longjing-tea", "quantity": self.quantity}]}
        preview = self._until_answered("POST", "checkout/preview", {**cart, "region": "CN"})
        assert preview.status_code == 200, preview.text
        wish = {
            **cart,
            "quote": preview.json()["quote"],
            "address": ADDRESS,
            "email": f"guest-{uuid4().hex[:12]}@example.com",
        }
        placed = self._until_answered("POST", "orders", wish)
        assert placed.status_code == 201, placed.text
        self.order, self.token = placed.json()["id"], placed.json()["order_token"]
        self.payable = placed.json()["payable"]["amount"]

    def _pay(self) -> Any:
        wish = {"order": self.order, "method": self.method}
        if self.instrument:
            wish["instrument"] = self.instrument
        self.began = self.asking = True
        answer = self._until_answered("POST", "payments", wish)
        self.asking = False
        if answer.status_code == 409 and answer.json()["code"] in _LATER:
            time.sleep(1)
            return self._pay()
        assert answer.status_code == 201, answer.text
        self.payments.append(answer.json()["state"])
        return answer.json()

    def _act(self, action: Any) -> None:
        """Confirm to the bank, which is asked where strangers share a card and a door, or pay by wallet."""
        if action["kind"] != "three_d_secure":
            self._use_wallet(action)
            return
        challenge = action["value"].rpartition("/")[2].partition("?")[0]
        httpx.post(f"{self.sandbox}/control/challenges/{challenge}/pass", trust_env=False)

    def _use_wallet(self, action: Any) -> None:
        """Scan the QR and pay; a second look after the money went changes nothing."""
        waiting = httpx.get(f"{self.sandbox}/control/payments?state=waiting", trust_env=False).json()
        for found in waiting["payments"]:
            if found["scan_url"] == action["value"]:
                httpx.post(f"{self.sandbox}/control/payments/{found['id']}/pay", trust_env=False)

    def look(self) -> Any:
        headers = {"Order-Token": self.token}
        answer = httpx.get(f"{self.shop}/api/v1/orders/{self.order}", headers=headers, trust_env=False)
        answer.raise_for_status()
        return answer.json()

    def _until_answered(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Send the same request under the same key until it is answered, as every client has to."""
        headers = {"Idempotency-Key": str(uuid4())} | ({"Order-Token": self.token} if self.token else {})
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                answer = self.http.request(method, f"{self.shop}/api/v1/{path}", json=body, headers=headers)
            except httpx.TransportError:
                self.unanswered += 1
                time.sleep(0.3)
                continue
            assert answer.status_code != 500, answer.text
            in_flight = answer.status_code == 409 and answer.json()["code"] == "idempotency_key_in_flight"
            if answer.status_code < 500 and not in_flight:
                return answer
            time.sleep(float(answer.headers.get("Retry-After", 0.5)))
        raise AssertionError(f"{method} {path} was not answered in {PATIENCE:.0f} s")


def wait_until(what: str, condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)
