"""The merchant after the payment: ships, captures, voids and refunds, each order in a way that the seed decides."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Any

from bench.drill.caller import LATER, PATIENCE_SECONDS, Caller, GaveUp, code_of
from bench.drill.customers import is_held

_MOVING = """SELECT count(*) FROM payments_attempt WHERE ledger_public_id('pay', payment_id) = %s
    AND state IN ('CREATED', 'SENT', 'UNKNOWN')"""
_REASON = "requested by the customer"


@dataclass
class Merchant:
    """`approver` has another API key: what brings much goes back only with a second person's word."""

    caller: Caller
    approver: Caller
    random: Random
    order: str
    items: list[dict[str, Any]]

    def serve(self, payment: Any) -> None:
        if is_held(payment):
            self._take_or_release(payment)
        elif self.random.random() < 0.3:
            self._ship(None)
        payment = self.caller.look(f"payments/{payment['id']}")
        if payment["captured"]["amount"]:
            self._give_back(payment)

    def _take_or_release(self, payment: Any) -> None:
        chance = self.random.random()
        if chance < 0.45:
            self._ship(None)
        elif chance < 0.65:
            self._ship({self.items[0]["sku"]: 1})
            self._ship(None)
        elif chance < 0.75:
            self._ship({self.items[0]["sku"]: 1})
        elif chance < 0.85:
            self._capture(payment, self._part_of(payment), final=chance < 0.8)
        elif chance < 0.9:
            self._capture(payment, None, final=False)
        self._let_rest_go(payment)

    def _part_of(self, payment: Any) -> int:
        return self.random.randint(1, max(1, payment["held"]["amount"] - 1))

    def _ship(self, what: dict[str, int] | None) -> bool:
        """Whether the goods left. What was called off is packed again a few times."""
        wish: dict[str, Any] = {"carrier": "SF Express", "tracking": f"SF{self.random.randrange(10**12)}"}
        if what:
            wish["items"] = [{"sku": sku, "quantity": quantity} for sku, quantity in what.items()]
        for _ in range(4):
            answer = self.caller.insist(f"orders/{self.order}/shipments", wish)
            if answer.status_code == 201 and self._has_left(answer.json()):
                self.caller.done["parcels"] += 1
                return True
            if answer.status_code != 201:
                self.caller.done[f"parcel {code_of(answer)}"] += 1
                if code_of(answer) != "shipment_not_paid":
                    return False
        return False

    def _has_left(self, parcel: Any) -> bool:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            if parcel["state"] != "WAITING_FOR_MONEY":
                return bool(parcel["state"] != "CALLED_OFF")
            time.sleep(1.5)
            sent = self.caller.look(f"orders/{self.order}/shipments")["data"]
            parcel = next(one for one in sent if one["id"] == parcel["id"])
        raise GaveUp(f"{parcel['id']} waits for money for {PATIENCE_SECONDS:.0f} s")

    def _capture(self, payment: Any, amount: int | None, *, final: bool) -> None:
        wish: dict[str, Any] = {"final": final}
        if amount:
            wish["amount"] = {"amount": amount, "currency": "CNY"}
        answer = self.caller.insist(f"payments/{payment['id']}/capture", wish)
        self.caller.done["captures" if answer.status_code == 200 else f"capture {code_of(answer)}"] += 1
        self._wait_while_moving(payment["id"])

    def _let_rest_go(self, payment: Any) -> None:
        """The order ends: nothing stays held. An order that nothing was taken of is cancelled."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            self._wait_while_moving(payment["id"])
            now = self.caller.look(f"payments/{payment['id']}")
            if not now["held"]["amount"]:
                return
            path = (
                f"orders/{self.order}/cancel" if is_held(now) and self._is_whole() else self._void_path(now)
            )
            answer = self.caller.insist(path, {})
            self.caller.done["let go" if answer.status_code == 200 else f"not let go: {code_of(answer)}"] += 1
        raise GaveUp(f"{payment['id']} still holds {now['held']['amount']} after {PATIENCE_SECONDS:.0f} s")

    def _is_whole(self) -> bool:
        return self.random.random() < 0.6

    def _void_path(self, payment: Any) -> str:
        return f"payments/{payment['id']}/void"

    def _wait_while_moving(self, payment: str) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            moving = self.caller.rows(_MOVING, payment)
            if moving and not moving[0][0]:
                return
            time.sleep(1.0)
        raise GaveUp(f"{payment} has a movement without an outcome after {PATIENCE_SECONDS:.0f} s")

    def _give_back(self, payment: Any) -> None:
        """Whole, in part, twice, twice at once, more than there is, by article; or a cardholder disputes it."""
        total = payment["captured"]["amount"]
        ways: list[tuple[float, Callable[[], None]]] = [
            (0.05, lambda: self._refund(payment, None)),
            (0.07, lambda: self._refund(payment, self.random.randint(1, total))),
            (0.04, lambda: self._refund_in_two(payment, total)),
            (0.04, lambda: self._refund_twice_at_once(payment, total * 3 // 5 + 1)),
            (0.02, lambda: self._refund_too_much(payment, total)),
            (0.04, self._refund_an_article),
            (0.04, lambda: self._is_disputed(payment) if payment["method"] == "card" else None),
        ]
        chance = self.random.random()
        for share, way in ways:
            if chance < share:
                way()
                return
            chance -= share

    def _refund_in_two(self, payment: Any, total: int) -> None:
        for part in (total // 2, total // 3):
            self._refund(payment, max(1, part))

    def _refund_too_much(self, payment: Any, total: int) -> None:
        answer = self._ask_for_refund(self.caller, payment, total + 1)
        assert answer.status_code == 422, answer.text
        self.caller.done["refund over the sum refused"] += 1

    def _refund_an_article(self) -> None:
        line = {"sku": self.items[0]["sku"], "quantity": 1}
        wish = {"lines": [line], "reason": _REASON}
        self._note(self.caller.insist(f"orders/{self.order}/refunds", wish))

    def _is_disputed(self, payment: Any) -> None:
        """By the cardholder, some at once with a refund, some by a mere inquiry."""
        attempt = (
            "SELECT channel_reference FROM payments_attempt WHERE kind = 'START' AND state = 'SUCCEEDED'"
        )
        found = self.caller.rows(f"{attempt} AND ledger_public_id('pay', payment_id) = %s", payment["id"])
        if not found:
            return
        inquiry = self.random.random() < 0.25
        path = f"stripe/payments/{found[0][0]}/dispute"
        disputed = self.caller.control("POST", path, {"inquiry": inquiry, "reason": "fraudulent"})
        self.caller.done["disputes by control" if disputed else "disputes refused"] += 1
        if self.random.random() < 0.3:
            self._refund(payment, max(1, payment["captured"]["amount"] // 4))

    def _refund(self, payment: Any, amount: int | None) -> None:
        self._note(self._ask_for_refund(self.caller, payment, amount))

    def _ask_for_refund(self, caller: Caller, payment: Any, amount: int | None) -> Any:
        wish = {"payment": payment["id"], "reason": _REASON}
        if amount:
            wish["amount"] = {"amount": amount, "currency": "CNY"}
        return caller.insist("refunds", wish, later=LATER)

    def _refund_twice_at_once(self, payment: Any, amount: int) -> None:
        """Two programs want more than there is: one of them gets it."""
        with ThreadPoolExecutor(2) as pool:
            callers = (self.caller, self.approver)
            answers = list(pool.map(lambda one: self._ask_for_refund(one, payment, amount), callers))
        assert [answer.status_code for answer in answers].count(201) <= 1, [one.text for one in answers]
        for answer in answers:
            self._note(answer)

    def _note(self, answer: Any) -> None:
        if answer.status_code != 201:
            self.caller.done[f"refund {code_of(answer)}"] += 1
            return
        self.caller.done["refunds"] += 1
        if answer.json()["state"] == "AWAITING_APPROVAL":
            verdict = "reject" if self.random.random() < 0.1 else "approve"
            for second in (self.approver, self.caller):  # whichever of the two did not ask for it
                decided = second.insist(f"refunds/{answer.json()['id']}/{verdict}", {"reason": "looked at"})
                self.caller.done[f"refunds {verdict}: {code_of(decided) or 'done'}"] += 1
                if decided.status_code == 200:
                    return
