"""Days with customers: every method that has statements, parcels, refunds, disputes, and then the night."""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from random import Random
from typing import Any

from bench.drill.caller import Caller
from bench.drill.customers import Shopper, is_held
from bench.drill.judge import still_open
from bench.drill.merchant import Merchant
from bench.drill.people import People
from bench.month.world import BEIJING, Month, say

METHODS = ("card", "card", "alipay", "wechat_pay", "unionpay", "e_cny", "bank_transfer")
_AT_ONCE = 4
_DESK_SECONDS = 5.0
_PATIENCE_SECONDS = 120.0
_CARDS = """SELECT channel_reference FROM payments_attempt WHERE kind = 'START' AND state = 'SUCCEEDED'
    AND ledger_public_id('pay', payment_id) = %s"""
_MOVING = (
    "SELECT count(*) FROM payments_attempt WHERE state IN ('CREATED', 'SENT', 'UNKNOWN') AND kind <> 'VOID'"
)


class MonthShopper(Shopper):
    """One who also knows how to transfer money from a bank, once. What is not transferred is waited for for days."""

    _transferred = False

    def pay(self) -> Any:
        return self._follow(self._start()) if self.methods == ("bank_transfer",) else super().pay()

    def _act(self, payment: Any, deed: str) -> None:
        if payment["next_action"]["kind"] != "transfer":
            super()._act(payment, deed)
            return
        if self._transferred:
            return
        told = json.loads(payment["next_action"]["value"])
        wish = {
            "amount": told["amount"],
            "currency": told["currency"],
            "text": told["reference"],
        }
        self._transferred = True
        self.caller.control("POST", f"bank/{told['account']}/transfers", wish)


class Days:
    def __init__(self, month: Month, per_day: int, methods: Sequence[str] = METHODS) -> None:
        self._month, self._per_day, self._methods = month, per_day, methods
        self.done: Counter[str] = Counter()
        self.numbers: dict[str, int] = {}
        self._people = People(
            (month.caller("desk"), month.caller("office", 1)), month.seed, self.numbers, self.done
        )

    def live(self) -> None:
        for at, day in enumerate(self._month.days):
            began = time.monotonic()
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                numbers = range(at * self._per_day, (at + 1) * self._per_day)
                self._see_through([pool.submit(self._visit, number) for number in numbers])
            self._wait_until_quiet()
            say(f"{day}: {time.monotonic() - began:.0f} s, {sum(self.done.values())} deeds")
            self._night(day)
        self._end()

    def _see_through(self, visits: Sequence[Future[None]]) -> None:
        """Some wait for the desk, which looks at their payment."""
        while wait(visits, timeout=_DESK_SECONDS).not_done:
            self._people.look_around(calm=False)
        for visited in visits:
            visited.result()

    def _visit(self, number: int) -> None:
        random = Random(f"{self._month.seed}:{number}")
        caller, approver = self._month.caller(f"{number}"), self._month.caller(f"{number} approves", 1)
        method = self._methods[number % len(self._methods)]
        shopper = MonthShopper(caller, random, (method,), f"buyer-{self._month.seed}-{number}@example.com")
        self.numbers[shopper.place()] = number
        payment = shopper.pay()
        caller.done[f"{method} {payment['state']}"] += 1
        if payment["state"] == "SUCCEEDED" or is_held(payment):
            Merchant(caller, approver, random, shopper.order, shopper.items).serve(payment)
        if number % 9 == 0 and payment["method"] == "card":
            self._dispute(caller, payment)
        self.done += caller.done + approver.done

    def _dispute(self, caller: Caller, payment: Any) -> None:
        found = caller.rows(_CARDS, payment["id"])
        if found and caller.look(f"payments/{payment['id']}")["captured"]["amount"]:
            caller.control("POST", f"stripe/payments/{found[0][0]}/dispute", {"reason": "fraudulent"})

    def _night(self, day: date) -> None:
        """Midnights of three zones, each with what falls due at it, and the next morning."""
        morning = datetime.combine(day + timedelta(days=1), clock_time(9), BEIJING)
        self._month.set_clock(morning - timedelta(hours=8))
        self._month.set_clock(morning)
        self._people.look_around(calm=day.day % 4 == 0)

    def _end(self) -> None:
        """Nothing stays open, and all that was paid out has arrived."""
        # Some providers take a second refund of one payment a minute later only, whatever their clock says.
        self._wait(lambda: "refunds" not in self._left())
        for later in range(1, 5):
            self._people.look_around(calm=True)
            self._wait_until_quiet()
            self._night(self._month.days[-1] + timedelta(days=later))
        self._wait(lambda: not self._left())

    def _left(self) -> dict[str, int]:
        self._people.look_around(calm=True)
        return still_open(self._month.stack)

    def _wait_until_quiet(self) -> None:
        """Money that moves belongs to the day on which it began to."""
        self._wait(lambda: not self._moving())

    def _moving(self) -> bool:
        """Not what is called off: UnionPay says that of no order before its time to pay is over."""
        waiting = {"inbox", "outbox", "parcels", "dispute movements"} & still_open(self._month.stack).keys()
        return bool(waiting or self._month.rows(_MOVING)[0][0])

    def _wait(self, is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end:
            if is_so():
                return
            time.sleep(0.5)
        say(f"still open: {still_open(self._month.stack)}")
