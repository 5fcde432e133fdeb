"""Customers who order, pay by every method, fail, leave, or change their mind."""

import json
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bench.drill.caller import PATIENCE_SECONDS, Caller, GaveUp, code_of

# Cards whose banks can be asked: more than ten payments a minute with one are.
_CARDS = ("pm_card_cn", "pm_card_mastercard", "pm_card_cn", "pm_card_hk", "pm_card_visa")
_BAD_CARDS = ("pm_card_visa_chargeDeclined", "pm_card_visa_chargeDeclinedInsufficientFunds")
_SKUS = ("longjing-tea", "desk-lamp")
_DEAR = "field-camera"
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


def is_held(payment: Any) -> bool:
    return bool(payment["state"] == "AUTHORIZED" and payment["capture_mode"] == "manual")


@dataclass
class Shopper:
    """One customer's visit, decided by the seed and their number alone."""

    caller: Caller
    random: Random
    methods: tuple[str, ...]
    email: str
    items: list[dict[str, Any]] = field(default_factory=list)
    order: str = ""
    leaves: bool = False

    def place(self) -> str:
        self.items = self._cart()
        preview = self.caller.ask("POST", "checkout/preview", {"items": self.items, "region": "CN"}).json()
        wish = {
            "items": self.items,
            "quote": preview["quote"],
            "address": _ADDRESS,
            "email": self.email,
        }
        placed = self.caller.ask("POST", "orders", wish)
        assert placed.status_code == 201, placed.text
        self.order = placed.json()["id"]
        return self.order

    def _cart(self) -> list[dict[str, Any]]:
        if self.random.random() < 0.04:
            return [{"sku": _DEAR, "quantity": 1}]
        chosen = self.random.sample(_SKUS, self.random.choice((1, 1, 2)))
        return [{"sku": sku, "quantity": self.random.randint(1, 3)} for sku in chosen]

    def pay(self) -> Any:
        """The payment that ended it, which may be of another method than the first; CANCELLED for who left."""
        self.leaves = self.random.random() < 0.06
        for _ in range(6):
            payment = self._start()
            if self.leaves:
                return self._leave(payment)
            payment = self._follow(payment)
            if payment["state"] in _OVER or is_held(payment):
                return payment
        return self._leave(payment)

    def _start(self) -> Any:
        method = self.random.choice(self.methods)
        wish = {"order": self.order, "method": method}
        if method == "card":
            wish["instrument"] = self.random.choice(_BAD_CARDS if self.random.random() < 0.1 else _CARDS)
        answer = self.caller.insist("payments", wish)
        if code_of(answer) in ("payment_already_succeeded", "order_not_payable"):
            return self._of_order()
        assert answer.status_code == 201, answer.text
        return answer.json()

    def _of_order(self) -> Any:
        """The payment that counts: of several the one with money."""
        payments = self.caller.look(f"orders/{self.order}")["payments"]
        gone = {"state": "CANCELLED", "id": "", "capture_mode": "", "captured": {"amount": 0}}
        return max([gone, *payments], key=lambda one: (one["state"] != "CANCELLED", bool(one["id"])))

    def _leave(self, payment: Any) -> Any:
        """Look at the wallet's page, perhaps even pay, and have the order cancelled all the same."""
        if payment["state"] == "REQUIRES_ACTION" and payment["next_action"]:
            self._act(payment, "pay" if self.random.random() < 0.3 else "scan")
        answer = self.caller.insist(f"orders/{self.order}/cancel", {})
        self.caller.done["order cancelled" if answer.status_code == 200 else code_of(answer)] += 1
        return self._of_order()

    def _follow(self, payment: Any) -> Any:
        """Do what the payment asks for and wait until it is over, or failed and may be tried again."""
        end = time.monotonic() + PATIENCE_SECONDS
        pause = 0.2
        while time.monotonic() < end:
            if payment["state"] in {*_OVER, "FAILED"} or is_held(payment):
                return payment
            if payment["state"] == "REQUIRES_ACTION" and payment["next_action"]:
                self._act(payment, "decline" if self.random.random() < 0.03 else "pay")
            time.sleep(pause)
            pause = min(pause * 1.5, 2.0)
            payment = self.caller.look(f"payments/{payment['id']}")
        raise GaveUp(f"{payment['id']} is {payment['state']} after {PATIENCE_SECONDS:.0f} s")

    def _act(self, payment: Any, deed: str) -> None:
        kind, value = payment["next_action"]["kind"], payment["next_action"]["value"]
        if kind == "three_d_secure":
            if deed != "scan":
                verdict = "fail" if deed == "decline" else "pass"
                challenge = value.rpartition("/")[2].partition("?")[0]
                self.caller.control("POST", f"challenges/{challenge}/{verdict}")
            return
        if kind == "form":
            form = json.loads(value)
            self.caller.http.post(form["url"], data=form["fields"])
        attempt = self.caller.rows(_ATTEMPT, payment["id"])
        found = self.caller.control("GET", f"payments?reference={attempt[0][0]}") if attempt else None
        for waiting in found["payments"] if found else []:
            if waiting["state"] == "waiting":
                self.caller.control("POST", f"payments/{waiting['id']}/{deed}")
