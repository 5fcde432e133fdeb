"""Customers who buy by the API as a merchant's program would: the same key until there is an answer."""

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import httpx
import psycopg

from tests.stack.copy import Stack

PATIENCE_SECONDS = 240.0
_LATER = {"idempotency_key_in_flight", "payment_in_progress", "payment_outcome_unknown", "payment_still_open"}
_CARDS = (
    "pm_card_cn",
    "pm_card_unionpay",
    "pm_card_visa",
    "pm_card_hk",
    "pm_card_mastercard",
    "pm_card_amex",
)
_BAD_CARDS = ("pm_card_visa_chargeDeclined", "pm_card_visa_chargeDeclinedInsufficientFunds")
_SKUS = ("longjing-tea", "desk-lamp")
_OVER = {"SUCCEEDED", "CANCELLED"}
_ATTEMPT = """SELECT ledger_public_id('att', attempt.id) FROM payments_attempt attempt
    WHERE ledger_public_id('pay', attempt.payment_id) = %s AND attempt.kind = 'START' ORDER BY sequence DESC LIMIT 1"""
_ADDRESS = {
    "name": "Lin Yue",
    "phone": "+86 138 0013 8000",
    "country": "CN",
    "region": "Zhejiang",
    "city": "Hangzhou",
    "line1": "1 Wenyi Road",
    "postal_code": "310000",
}


class GaveUp(Exception):
    """Something was not answered for longer than any customer waits."""


@dataclass
class Shopper:
    """One customer's visit, decided by the seed and their number alone."""

    stack: Stack
    api_key: str
    seed: int
    number: int
    methods: tuple[str, ...]
    http: httpx.Client
    done: Counter[str] = field(default_factory=Counter)
    order: str = ""

    def __post_init__(self) -> None:
        self.random = Random(f"{self.seed}:{self.number}")
        self._requests = 0

    def visit(self) -> Counter[str]:
        self._place()
        payment = self._pay_until_settled()
        self.done[payment["state"] if payment else "GAVE_UP"] += 1
        if payment and payment["state"] == "SUCCEEDED":
            self._afterwards(payment)
        return self.done

    def _place(self) -> None:
        cart = {"items": [{"sku": self.random.choice(_SKUS), "quantity": self.random.randint(1, 3)}]}
        preview = self._ask("POST", "checkout/preview", {**cart, "region": "CN"}).json()
        wish = {
            **cart,
            "quote": preview["quote"],
            "address": _ADDRESS,
            "email": f"shopper-{self.seed}-{self.number}@example.com",
        }
        placed = self._ask("POST", "orders", wish)
        assert placed.status_code == 201, placed.text
        self.order = placed.json()["id"]

    def _pay_until_settled(self) -> Any:
        leaves = self.random.random() < 0.03
        for _ in range(6):
            payment = self._pay()
            if leaves:
                self._ask("POST", f"orders/{self.order}/cancel", {})
            payment = self._follow(payment, leaves)
            if payment["state"] in _OVER:
                return payment
        self._ask("POST", f"orders/{self.order}/cancel", {})
        return self._follow(payment, True)

    def _pay(self) -> Any:
        method = self.random.choice(self.methods)
        wish = {"order": self.order, "method": method}
        if method == "card":
            wish["instrument"] = self.random.choice(_BAD_CARDS if self.random.random() < 0.1 else _CARDS)
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            answer = self._ask("POST", "payments", wish)
            if answer.status_code == 201:
                return answer.json()
            code = answer.json()["code"]
            if code in ("payment_already_succeeded", "order_not_payable"):
                return self._of_order()
            assert code in _LATER or code == "channel_not_reachable", answer.text
            time.sleep(0.5)
        raise GaveUp(f"{self.order} could not be paid")

    def _of_order(self) -> Any:
        payments = self._ask("GET", f"orders/{self.order}").json()["payments"]
        return payments[0] if payments else {"state": "CANCELLED", "id": ""}

    def _follow(self, payment: Any, leaves: bool) -> Any:
        """Do what the payment asks for and wait until it is over, or failed and may be tried again."""
        end = time.monotonic() + PATIENCE_SECONDS
        pause = 0.1
        while payment["state"] not in _OVER and time.monotonic() < end:
            if payment["state"] == "FAILED" and not leaves:
                return payment
            if payment["state"] == "AUTHORIZED":
                return self._secured(payment)
            if payment["state"] == "REQUIRES_ACTION" and payment["next_action"]:
                self._act(payment, payment["next_action"])
            if leaves and payment["state"] == "FAILED":
                return {**payment, "state": "CANCELLED"}
            time.sleep(pause)
            pause = min(pause * 1.5, 2.0)
            payment = self._ask("GET", f"payments/{payment['id']}").json()
        if payment["state"] not in _OVER:
            raise GaveUp(f"{payment['id']} is {payment['state']} after {PATIENCE_SECONDS:.0f} s")
        return payment

    def _act(self, payment: Any, action: Any) -> None:
        if action["kind"] == "three_d_secure":
            verdict = "fail" if self.random.random() < 0.05 else "pass"
            self._control(
                "POST", f"challenges/{action['value'].rpartition('/')[2].partition('?')[0]}/{verdict}"
            )
            return
        attempt = self._attempt_of(payment["id"])
        if not attempt:
            return
        found = self._control("GET", f"payments?reference={attempt}")
        verdict = "decline" if self.random.random() < 0.03 else "pay"
        for waiting in found.json()["payments"] if found is not None else []:
            if waiting["state"] == "waiting":
                self._control("POST", f"payments/{waiting['id']}/{verdict}")

    def _attempt_of(self, payment: str) -> str:
        try:
            with psycopg.connect(self.stack.database_url, connect_timeout=5) as connection:
                row = connection.execute(_ATTEMPT, [payment]).fetchone()
                return row[0] if row else ""
        except psycopg.OperationalError:
            return ""

    def _control(self, method: str, path: str) -> httpx.Response | None:
        try:
            return self.http.request(method, f"{self.stack.sandbox}/control/{path}", timeout=10)
        except httpx.TransportError:
            return None

    def _afterwards(self, payment: Any) -> None:
        chance = self.random.random()
        if chance < 0.15:
            total = payment["captured"]["amount"]
            part = total if chance < 0.05 else self.random.randint(1, total)
            for amount in [part] if chance < 0.1 else [part // 2, part // 3]:
                if amount:
                    self._refund(payment, amount)

    def _refund(self, payment: Any, amount: int) -> None:
        wish = {
            "payment": payment["id"],
            "amount": {"amount": amount, "currency": "CNY"},
            "reason": "requested by the customer",
        }
        answer = self._ask("POST", "refunds", wish)
        self.done["refunds" if answer.status_code == 201 else f"refund {answer.json()['code']}"] += 1

    def _ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        self._requests += 1
        key = str(UUID(int=Random(f"key {self.seed}:{self.number}:{self._requests}").getrandbits(128)))
        headers = {"Authorization": f"Bearer {self.api_key}", "Idempotency-Key": key}
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            try:
                answer = self.http.request(
                    method, f"{self.stack.url}/api/v1/{path}", json=body, headers=headers
                )
            except httpx.TransportError:
                self.done["unanswered"] += 1
                time.sleep(0.3)
                continue
            if answer.status_code < 500 and not _still_in_flight(answer):
                return answer
            self.done[f"answered {answer.status_code}"] += 1
            time.sleep(float(answer.headers.get("Retry-After", 0.5)))
        raise GaveUp(f"{method} {path} was not answered in {PATIENCE_SECONDS:.0f} s")


def _still_in_flight(answer: httpx.Response) -> bool:
    try:
        return answer.status_code in (409, 429) and answer.json()["code"] in (
            "idempotency_key_in_flight",
            "rate_limited",
        )
    except (json.JSONDecodeError, KeyError):
        return False
