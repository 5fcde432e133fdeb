"""`outbox`: events written in transactions and delivered by one relay to the event bus and to a subscriber."""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import django
import psycopg

from bench.frame import ROUNDS, cost_of, finish, median, median_of, percentile, say
from bench.noting import path_in
from payments.events import Event
from tests.ports import four_ports
from tests.stack import processes
from tests.stack.copy import Stack

BACKLOG = 6000
ARRIVING, ARRIVING_RATE = 2000, 500
SUBJECTS = 200
WRITERS = 4
BATCH = 200
_CLAIM = f"""
UPDATE bench_outbox SET delivered_at = now() WHERE id IN (
    SELECT id FROM bench_outbox WHERE delivered_at IS NULL ORDER BY id LIMIT {BATCH} FOR UPDATE SKIP LOCKED)
RETURNING id, name, subject, payload"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened(Event):
    name: ClassVar[str] = "bench.happened"
    number: int
    amount: int = 12900
    currency: str = "CNY"
    method: str = "wechat_pay"
    channel: str = "wechat"


class Outbox:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._numbers = [0] * SUBJECTS
        self._written = 0
        self._noted = path_in(stack.data)
        self._locks = [threading.Lock() for _ in range(SUBJECTS)]

    def run(self) -> None:
        self._write(range(SUBJECTS))
        self._wait()
        rounds, costs = [], []
        for number in range(ROUNDS):
            before = cost_of(self._stack)
            rate = self._backlog()
            costs.append(cost_of(self._stack).since(before, BACKLOG))
            seconds = self._arriving()
            rounds.append(
                {
                    "per_second": round(rate),
                    "reference_per_second": round(self._reference()),
                    "p50_ms": round(1000 * median(seconds), 1),
                    "p99_ms": round(1000 * percentile(seconds, 0.99), 1),
                }
            )
            say(f"round {number + 1}: {rounds[-1]} {costs[-1]}")
        self._prove()
        figures = median_of(rounds)
        finish(
            "outbox",
            ratio=figures["per_second"] / figures["reference_per_second"],
            reference=f"raw SELECT … FOR UPDATE SKIP LOCKED, {BATCH} at a time, on one connection",
            figures={
                **figures,
                **median_of(costs),
                "arriving_per_second": ARRIVING_RATE,
                "subjects": SUBJECTS,
            },
            reached=figures["per_second"] >= 2000 and figures["p99_ms"] < 250,
        )

    def _backlog(self) -> float:
        """Events a second of a relay that has more than enough to do."""
        relays = processes.of(self._stack.data, "manage.py", "relay")
        for pid in relays:
            os.kill(pid, signal.SIGSTOP)
        try:
            self._many(range(BACKLOG))
        finally:
            for pid in relays:
                os.kill(pid, signal.SIGCONT)
        began = time.monotonic()
        self._wait()
        times = [at for _, _, at in self._heard()][-BACKLOG:]
        return BACKLOG / (times[-1] - began)

    def _arriving(self) -> list[float]:
        """Seconds from commit to delivery."""
        committed: dict[tuple[str, int], float] = {}
        began = time.monotonic() + 0.1

        def one(number: int) -> None:
            time.sleep(max(0.0, began + number / ARRIVING_RATE - time.monotonic()))
            [key] = self._write([number % SUBJECTS])
            committed[key] = time.monotonic()

        with ThreadPoolExecutor(WRITERS) as pool:
            for done in [pool.submit(one, number) for number in range(ARRIVING)]:
                done.result()
        say(f"arrived at {ARRIVING / (time.monotonic() - began):.0f}/s")
        self._wait()
        heard = {(subject, number): at for subject, number, at in self._heard()}
        return [max(0.0, heard[key] - at) for key, at in committed.items()]

    def _many(self, numbers: Iterable[int]) -> None:
        some = list(numbers)
        for first in range(0, len(some), 100):
            self._write(number % SUBJECTS for number in some[first : first + 100])

    def _write(self, subjects: Iterable[int]) -> list[tuple[str, int]]:
        """One transaction."""
        from django.db import transaction  # noqa: PLC0415 - needs the copy's settings

        from payments.outbox import publish  # noqa: PLC0415

        told = []
        chosen = list(subjects)
        held = sorted(set(chosen))
        for subject in held:
            self._locks[subject].acquire()
        try:
            with transaction.atomic():
                for subject in chosen:
                    self._numbers[subject] += 1
                    event = Happened(reference=f"bench_{subject}", number=self._numbers[subject])
                    publish(event)
                    told.append((event.reference, event.number))
        finally:
            for subject in held:
                self._locks[subject].release()
        self._written += len(told)
        return told

    def _wait(self) -> None:
        end = time.monotonic() + 120
        while self._noted_lines() < self._written:
            assert time.monotonic() < end, f"{self._noted_lines()} of {self._written} were delivered"
            time.sleep(0.05)

    def _noted_lines(self) -> int:
        return self._noted.read_bytes().count(b"\n") if self._noted.exists() else 0

    def _heard(self) -> list[tuple[str, int, float]]:
        lines = (line.split() for line in self._noted.read_text().splitlines())
        return [(subject, int(number), float(at)) for subject, number, at in lines]

    def _reference(self) -> float:
        """The same rows, claimed and marked by raw SQL."""
        with psycopg.connect(self._stack.database_url, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS bench_outbox")
            connection.execute("CREATE TABLE bench_outbox (LIKE payments_outboxevent INCLUDING ALL)")
            connection.execute(
                "INSERT INTO bench_outbox (event, name, subject, payload, created_at) SELECT event, name, subject,"
                " payload, created_at FROM payments_outboxevent ORDER BY id DESC LIMIT %s",
                [BACKLOG],
            )
            connection.execute("ANALYZE bench_outbox")
            began, delivered = time.monotonic(), 0
            while rows := connection.execute(_CLAIM).fetchall():
                delivered += len(rows)
            rate = delivered / (time.monotonic() - began)
            connection.execute("DROP TABLE bench_outbox")
        return rate

    def _prove(self) -> None:
        """Everything came, and in order per subject."""
        newest: dict[str, int] = {}
        for subject, number, _ in self._heard():
            assert number == newest.get(subject, 0) + 1, f"{subject}: {number} after {newest.get(subject)}"
            newest[subject] = number
        assert sum(newest.values()) == self._written


def with_copy(work: Callable[[Stack], Any]) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        stack = Stack(Path(folder), four_ports(), {"DJANGO_SETTINGS_MODULE": "bench.counted"})
        try:
            say(f"ready after {stack.start():.0f} s: {stack.data}")
            os.environ.update(stack.environment)
            django.setup()
            work(stack)
        finally:
            stack.stop()


if __name__ == "__main__":
    with_copy(lambda stack: Outbox(stack).run())
