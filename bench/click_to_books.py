"""`click_to_books`: quote, order, payment, the customer pays at the provider, its word comes, all is in the books.

The clock runs from the request for the quote until the order is PAID, its stock sold and the journal posted, as
another connection sees it.
"""

import tempfile
import threading
import time
from pathlib import Path
from uuid import UUID

import psycopg

from bench.buyers import Buyer
from bench.drill.judge import still_open
from bench.frame import ROUNDS, cost_of, finish, median, median_of, percentile, say, stock_up
from bench.raw_rows import Writes, raw_rate, writes_so_far
from bench.wire import all_at_once, ask, at_rate, send
from ledger.identifiers import decode
from tests.ports import four_ports
from tests.stack.copy import Stack

METHODS = ("alipay", "wechat_pay", "e_cny")
FLOWS = 120  # a round's at full speed, and as many at the stated rate
CLIENTS = 8
LOAD = 0.5  # of the peak
REFERENCE_SECONDS = 5
_SETTLE_SECONDS = 1.5  # until every connection has told PostgreSQL's statistics what it wrote
_PAID = "SELECT id FROM checkout_order WHERE id = ANY (%s) AND state = 'PAID'"
_BOOKED = """SELECT count(DISTINCT p.id) FROM payments_payment p JOIN ledger_transaction t ON t.reference = p.reference
    WHERE p.reference = ANY (%s) AND p.state = 'SUCCEEDED'"""
_ATTEMPT = """SELECT ledger_public_id('att', attempt.id) FROM payments_attempt attempt
    JOIN payments_payment payment ON payment.id = attempt.payment_id
    WHERE payment.reference = %s AND attempt.kind = 'START' ORDER BY sequence DESC LIMIT 1"""


class Watcher(threading.Thread):
    """Sees every few milliseconds which orders are paid by now."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._connection = psycopg.connect(url, autocommit=True)
        self._lock = threading.Lock()
        self._waiting: dict[UUID, threading.Event] = {}
        self.start()

    def wait(self, order: str) -> None:
        paid = threading.Event()
        with self._lock:
            self._waiting[decode("ord", order)] = paid
        assert paid.wait(60), f"{order} was not paid within a minute"

    def run(self) -> None:
        while True:
            time.sleep(0.004)
            with self._lock:
                keys = list(self._waiting)
            if keys:
                for (key,) in self._connection.execute(_PAID, [keys]):
                    with self._lock:
                        self._waiting.pop(key).set()


class Flows:
    def __init__(self, stack: Stack) -> None:
        self._stack, self._buyer = stack, Buyer(stack)
        self._watcher = Watcher(stack.database_url)
        self._database = psycopg.connect(stack.database_url, autocommit=True)
        self._lock = threading.Lock()
        self._orders: list[str] = []
        self._after_click: list[float] = []

    def run(self) -> None:
        all_at_once(self._flow, range(40), CLIENTS)
        rounds, costs = [], []
        for number in range(ROUNDS):
            figures, cost = self._round()
            rounds.append(figures)
            costs.append(cost)
            say(f"round {number + 1}: {figures} {cost}")
        self._prove()
        figures = median_of(rounds)
        finish(
            "click_to_books",
            ratio=figures["per_second"] / figures["reference_per_second"],
            reference="as many rows written in as many transactions into copies of the tables, by pgbench",
            figures={**figures, **median_of(costs), "clients": CLIENTS, "methods": METHODS},
            reached=figures["p99_ms"] < 1000,
        )

    def _round(self) -> tuple[dict[str, float], dict[str, float]]:
        before, written = cost_of(self._stack), self._writes()
        rate = all_at_once(self._flow, range(FLOWS), CLIENTS)
        each = self._writes().since(written, FLOWS)
        cost = cost_of(self._stack).since(before, FLOWS)
        self._after_click.clear()
        seconds = at_rate(self._flow, range(FLOWS), rate * LOAD, 4 * CLIENTS)
        clicks = list(self._after_click)
        reference = raw_rate(self._stack.database_url, each, clients=CLIENTS, seconds=REFERENCE_SECONDS)
        figures = {
            "per_second": round(rate, 1),
            "reference_per_second": round(reference, 1),
            "stated_rate": round(rate * LOAD, 1),
            "p50_ms": round(1000 * median(seconds), 1),
            "p99_ms": round(1000 * percentile(seconds, 0.99), 1),
            "p50_ms_from_provider": round(1000 * median(clicks), 1),
            "p99_ms_from_provider": round(1000 * percentile(clicks, 0.99), 1),
            "rows_written": each.rows,
            "transactions": each.transactions,
        }
        return figures, cost

    def _writes(self) -> Writes:
        time.sleep(_SETTLE_SECONDS)
        return writes_so_far(self._stack.database_url)

    def _flow(self, number: int) -> None:
        order = self._buyer.order()
        self._buyer.begin_to_pay(order, METHODS[number % len(METHODS)])
        payment = self._at_provider(order)
        clicked = time.monotonic()
        status, answer = send("POST", self._stack.port + 1, f"/control/payments/{payment}/pay", {}, b"")
        assert status == 200, answer
        self._watcher.wait(order)
        with self._lock:
            self._after_click.append(time.monotonic() - clicked)
            self._orders.append(order)

    def _at_provider(self, order: str) -> str:
        row = self._database.execute(_ATTEMPT, [order]).fetchone()
        assert row, order
        found = ask("GET", self._stack.port + 1, f"/control/payments?reference={row[0]}", {})
        return str(found["payments"][0]["id"])

    def _prove(self) -> None:
        row = self._database.execute(_BOOKED, [self._orders]).fetchone()
        assert row == (len(self._orders),), f"{row} of {len(self._orders)} are in the books"
        assert not (verified := self._stack.verify())["broken"], verified["broken"][:5]
        left = still_open(self._stack)
        assert not left.keys() - {"outbox"}, left


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        stack = Stack(Path(folder), four_ports(), {"DJANGO_SETTINGS_MODULE": "bench.counted"})
        try:
            say(f"ready after {stack.start():.0f} s: {stack.data}")
            stock_up(stack)
            Flows(stack).run()
        finally:
            stack.stop()


if __name__ == "__main__":
    main()
