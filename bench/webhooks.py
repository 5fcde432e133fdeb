"""`webhooks`: signed notifications of every channel over HTTP, each with something new to apply.

Customers buy as far as the provider's word; the providers' notifications come into a post box and are delivered by
the benchmark, with duplicates and forgeries among them. The janitor is off, or it would ask the providers first.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import httpx
import psycopg

from bench.buyers import Buyer, pay_waiting
from bench.drill.judge import judge
from bench.frame import ROUNDS, cost_of, finish, median, median_of, percentile, say, stock_up
from bench.post_box import Letter, PostBox
from bench.wire import all_at_once, at_rate, send
from config.embedded import ports
from tests.ports import four_ports
from tests.stack.copy import ROOT, Stack

METHODS = ("card", "alipay", "wechat_pay", "e_cny")
PAYMENTS = 240  # a round's, half of them at full speed and half at the stated rate
CLIENTS = 16
DUPLICATES, FORGERIES = 0.10, 0.01
LOAD = 0.5  # of the peak


class Webhooks:
    def __init__(self, stack: Stack, box: PostBox, reference_port: int) -> None:
        self._stack, self._box, self._reference = stack, box, reference_port
        self._buyer = Buyer(stack)
        self._random = Random(1)
        self._rounds: list[dict[str, float]] = []
        self._costs: list[dict[str, float]] = []
        self._seen: Counter[str] = Counter()
        self._genuine = 0
        self._kept_before = self._kept()

    def run(self) -> None:
        self._warm_up()
        for number in range(ROUNDS):
            self._round()
            say(f"round {number + 1}: {self._rounds[-1]} {self._costs[-1]}")
        self._prove()
        figures = median_of(self._rounds)
        finish(
            "webhooks",
            ratio=figures["per_second"] / figures["reference_per_second"],
            reference="the same server answering 204 after the same check of the signature",
            figures={
                **figures,
                **median_of(self._costs),
                "clients": CLIENTS,
                "channels": dict(self._seen),
                "duplicates": DUPLICATES,
                "forgeries": FORGERIES,
            },
            reached=figures["p99_ms"] < 100,
        )

    def _round(self) -> None:
        letters = self._letters(PAYMENTS)
        half = len(letters) // 2
        full, steady = self._mixed(letters[:half]), self._mixed(letters[half:])
        reference = all_at_once(self._send_to_reference, full, CLIENTS)
        before = cost_of(self._stack)
        rate = all_at_once(self._send, full, CLIENTS)
        cost = cost_of(self._stack).since(before, len(full))
        seconds = at_rate(self._send, steady, rate * LOAD, CLIENTS)
        self._costs.append(cost)
        self._rounds.append(
            {
                "per_second": round(rate, 1),
                "reference_per_second": round(reference, 1),
                "stated_rate": round(rate * LOAD, 1),
                "p50_ms": round(1000 * median(seconds), 1),
                "p99_ms": round(1000 * percentile(seconds, 0.99), 1),
            }
        )

    def _warm_up(self) -> None:
        letters = [(letter, True) for letter in self._letters(40)]
        for work in (self._send_to_reference, self._send):
            all_at_once(work, letters, CLIENTS)

    def _letters(self, payments: int) -> list[Letter]:
        """What the providers say about new payments; the order is chance."""
        methods = [METHODS[number % len(METHODS)] for number in range(payments)]
        all_at_once(lambda method: self._buyer.begin_to_pay(self._buyer.order(), method), methods, 8)
        while pay_waiting(self._stack):
            pass
        letters: list[Letter] = []
        while more := self._box.empty():
            letters += more
            time.sleep(1.5)
        self._seen += Counter(letter.channel for letter in letters)
        self._genuine += len(letters)
        self._random.shuffle(letters)
        return letters

    def _mixed(self, letters: list[Letter]) -> list[tuple[Letter, bool]]:
        """With whether it is genuine."""
        mixed = [(letter, True) for letter in letters]
        mixed += [(letter, True) for letter in self._random.sample(letters, int(len(letters) * DUPLICATES))]
        forged = self._random.sample(letters, max(1, round(len(letters) * FORGERIES)))
        mixed += [(letter.forged(), False) for letter in forged]
        self._random.shuffle(mixed)
        return mixed

    def _send(self, unit: tuple[Letter, bool]) -> None:
        letter, genuine = unit
        status, answer = send("POST", self._stack.port, letter.path, letter.headers, letter.body)
        assert (200 <= status < 300) if genuine else (400 <= status < 500), (letter, status, answer)

    def _send_to_reference(self, unit: tuple[Letter, bool]) -> None:
        letter, genuine = unit
        status, _ = send("POST", self._reference, letter.path, letter.headers, letter.body)
        assert status == (204 if genuine else 400), (letter, status)

    def _kept(self) -> int:
        with psycopg.connect(self._stack.database_url) as connection:
            row = connection.execute("SELECT count(*) FROM payments_inboxevent").fetchone()
            return int(row[0]) if row else 0

    def _prove(self) -> None:
        """Each genuine notification was kept once and no forged one at all; the money is what the providers say."""
        kept = self._kept() - self._kept_before
        assert kept == self._genuine, f"{kept} kept of {self._genuine}"
        verdict = judge(self._stack, {})
        assert not [*verdict.lost, *verdict.doubled], [*verdict.lost[:5], *verdict.doubled[:5]]
        assert verdict.verify["ok"], verdict.verify["broken"][:5]


def reference_server(stack: Stack, port: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "gunicorn", "bench.plain", "--config", "python:config.gunicorn"]
    server = subprocess.Popen([*command, "--bind", f"127.0.0.1:{port}"], cwd=ROOT, env=stack.environment)
    end = time.monotonic() + 60
    while not ports.answers(port):
        assert server.poll() is None, "the reference did not start"
        assert time.monotonic() < end, "the reference does not answer"
        time.sleep(0.1)
    return server


def main() -> None:
    box = PostBox()
    address = box.open()
    settings = {"DJANGO_SETTINGS_MODULE": "bench.counted", "BENCH_WITHOUT_JANITOR": "1"}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        stack = Stack(Path(folder), four_ports(), {**settings, "NOTIFY_BASE_URL": address})
        servers: list[Any] = []
        try:
            say(f"ready after {stack.start():.0f} s: {stack.data}")
            stock_up(stack)
            account = {"name": "Smart Checkout", "webhooks": {"stripe": f"{address}/webhooks/stripe"}}
            httpx.post(f"{stack.sandbox}/control/merchants", json=account, timeout=30).raise_for_status()
            port = ports.any_free()[0]
            servers.append(reference_server(stack, port))
            Webhooks(stack, box, port).run()
        finally:
            for server in servers:
                server.send_signal(signal.SIGTERM)
                server.wait(30)
            stack.stop()


if __name__ == "__main__":
    os.umask(0o077)
    main()
