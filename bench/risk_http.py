"""`risk_http`: decisions asked for over real HTTP, so many a second, where others were taken before.

`RISK_HTTP_PAST`, `RISK_HTTP_RATE` and `RISK_HTTP_SECONDS` change it. Requests come when they are due, whatever became
of those before; who sends them shares the cores with the server, PostgreSQL and Redis. Statements are not counted:
whoever listens to them has each sent by itself. What the machine allows is measured before each round: `hello_…` is the
same server's answer to a question of nothing at the same rate, `disk_…` a page that is on the disk.
"""

import json
import os
import random
import tempfile
import threading
from pathlib import Path
from typing import Any

import django

from bench import risk_decision
from bench.frame import ROUNDS, cost_of, disk_ms, finish, median, median_of, percentile, say
from bench.risk_past import CUSTOMERS, fill
from bench.wire import at_rate, send
from tests.ports import four_ports
from tests.stack.copy import Stack

PAST = int(os.environ.get("RISK_HTTP_PAST", "100000"))
RATE = float(os.environ.get("RISK_HTTP_RATE", "200"))
SECONDS = int(os.environ.get("RISK_HTTP_SECONDS", "30"))
_SENDERS = 32
_CITIES = {"country": "CN", "name": "Lin Yue", "phone": "", "city": "Hangzhou"}


class Asker:
    """A program that asks about one order after another."""

    def __init__(self, stack: Stack) -> None:
        self._port = stack.port
        self._key = stack.manage("issue_api_key", "--name", "bench").strip()
        self._chance, self._lock = random.Random(4), threading.Lock()
        self.failed: list[tuple[int, bytes]] = []

    def ask(self, number: int) -> None:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        status, answer = send("POST", self._port, "/api/v1/risk/assessments", headers, self._question(number))
        if status != 201:
            self.failed.append((status, answer[:300]))

    def greet(self, number: int) -> None:
        send("GET", self._port, "/health", {}, b"")

    def _question(self, number: int) -> bytes:
        with self._lock:
            who, amount = self._chance.randrange(CUSTOMERS), int(self._chance.expovariate(1 / 20_000))
        return json.dumps(
            {
                "reference": f"cart-{number}-{who}",
                "amount": {"amount": 1000 + amount, "currency": "CNY"},
                "customer": {
                    "reference": f"cus_{who}",
                    "email": f"mail-{who}@example.com",
                    "paid_orders": 1 + who % 9,
                },
                "instrument": {
                    "kind": "card",
                    "country": "CN",
                    "brand": "visa",
                    "fingerprint": f"card-{who}",
                },
                "address": {**_CITIES, "line1": f"{who // 2} Wenyi Road"},
                "device": {
                    "identifier": f"dev-{who}",
                    "ip": f"203.{who % 250}.{who // 250}.7",
                    "country": "CN",
                },
                "skus": [f"sku-{who % 40}", f"sku-{who % 7}"],
            }
        ).encode()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        stack = Stack(Path(folder), four_ports())
        try:
            say(f"ready after {stack.start():.0f} s: {stack.data}")
            _prepare(stack)
            _measure(stack)
        finally:
            stack.stop()


def _prepare(stack: Stack) -> None:
    """The policy, model and past of `risk_decision`, in the copy's own database and Redis."""
    os.environ.update(stack.environment | stack.kept | {"DJANGO_SETTINGS_MODULE": "config.settings"})
    django.setup()
    from datetime import timedelta  # noqa: PLC0415

    from django.utils import timezone  # noqa: PLC0415

    from risk.services.rebuild_histories import rebuild_histories  # noqa: PLC0415
    from risk.services.take_day_figures import take_day_figures  # noqa: PLC0415

    now = timezone.now()
    risk_decision.twenty_rules()
    template = risk_decision.one_decision(now - timedelta(days=61))
    fill(PAST, template["values"], template["policy"], now)
    say(f"{rebuild_histories()} decisions told to the histories")
    while take_day_figures(now=now):  # as the worker had, each minute
        pass


def _measure(stack: Stack) -> None:
    asker, rounds, costs = Asker(stack), [], []
    at_rate(asker.ask, range(int(5 * RATE / 2)), RATE / 2, _SENDERS)
    for number in range(1, ROUNDS + 1):
        disk = disk_ms(stack.data)
        hello = at_rate(asker.greet, range(int(5 * RATE)), RATE, _SENDERS)
        before, count = cost_of(stack), int(RATE * SECONDS)
        seconds = at_rate(asker.ask, range(number * 1_000_000, number * 1_000_000 + count), RATE, _SENDERS)
        costs.append(cost_of(stack).since(before, count))
        rounds.append(
            {
                "p50_ms": round(1000 * median(seconds), 1),
                "p99_ms": round(1000 * percentile(seconds, 0.99), 1),
                "longest_ms": round(1000 * max(seconds), 1),
                "hello_p99_ms": round(1000 * percentile(hello, 0.99), 1),
                "disk_p50_ms": round(median(disk), 2),
                "disk_p99_ms": round(percentile(disk, 0.99), 1),
            }
        )
        say(f"round {number}: {rounds[-1]} {costs[-1]} {len(asker.failed)} failed")
    figures: dict[str, Any] = {**median_of(rounds), **median_of(costs), "a_second": RATE, "past": PAST}
    finish(
        "risk_http",
        ratio=25 / max(figures["p99_ms"], 0.01),
        reference="25 ms",
        figures={**figures, "failed": len(asker.failed), "decided": _decided(stack)},
        reached=figures["p99_ms"] <= 25 and not asker.failed,
    )
    assert not asker.failed, asker.failed[:3]


def _decided(stack: Stack) -> dict[str, int]:
    """What was stored of it: all, and those that went without histories or model."""
    import psycopg  # noqa: PLC0415

    with psycopg.connect(stack.database_url) as connection:
        row = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE inputs->'degraded' <> '[]') FROM risk_decision"
            " WHERE stage = 'order'"
        ).fetchone()
    assert row
    return {"stored": row[0], "degraded": row[1]}


if __name__ == "__main__":
    main()
