"""`python -m bench.drill --seed 7 --payments 500`: the last line is one JSON object; exit code 1 unless all is well."""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import httpx
import psycopg

from bench.drill.caller import Caller, GaveUp
from bench.drill.customers import Shopper
from bench.drill.judge import Verdict, judge, still_open
from bench.drill.kills import Killer
from bench.drill.listener import Listener
from bench.drill.merchant import Merchant
from bench.drill.people import People
from tests.ports import four_ports
from tests.stack.copy import Stack

MIX = {
    "requests": 0.10,
    "notifications": 0.25,
    "declines": 0.04,
    "disputes": 0.02,
    "late_refunds": 0.05,
    "late_refund_failures": 0.03,
    "hang_seconds": 8.0,
}
METHODS = ("card", "card", "card", "alipay", "wechat_pay", "unionpay", "e_cny")
SETTLE_SECONDS = 420.0
# A provider's longest retry schedule, in steps that leave us time between them.
CLOCK_STEPS = (60, 600, 3600, 6 * 3600, 20 * 3600, 60 * 3600)
_STOCK = "UPDATE checkout_stock SET total = total + 100000"


def main() -> int:
    asked = _asked()
    with tempfile.TemporaryDirectory(prefix="drill-") as folder:
        extra = {
            "CHANNEL_TIMEOUT_SECONDS": "4",
            "CAPTURE_ON_SHIPMENT": "true",
            "WEBHOOK_ALLOW_LOOPBACK": "true",
        }
        if asked.unstable_keys:
            extra["DJANGO_SETTINGS_MODULE"] = "bench.drill.unstable"
        stack = Stack(Path(asked.data or folder), four_ports(), extra)
        try:
            say(f"ready after {stack.start():.0f} s: {stack.data}")
            return Drill(stack, asked).run()
        finally:
            stack.stop()


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make drill")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--payments", type=int, default=2000)
    parser.add_argument("--at-once", type=int, default=12)
    parser.add_argument("--kills", type=int, default=5, help="how often each part is killed")
    parser.add_argument("--data", help="folder to keep what the drill leaves")
    parser.add_argument(
        "--unstable-keys", action="store_true", help="break the outbound keys: the drill must fail"
    )
    return parser.parse_args()


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Drill:
    def __init__(self, stack: Stack, asked: argparse.Namespace) -> None:
        self._stack, self._asked = stack, asked
        self._done: Counter[str] = Counter()
        self._numbers: dict[str, int] = {}
        self._finished = 0
        self._lock = threading.Lock()
        self._local = threading.local()

    def run(self) -> int:
        self._keys = [
            self._stack.manage("issue_api_key", "--name", name).strip() for name in ("shop", "till")
        ]
        with psycopg.connect(self._stack.database_url) as connection:
            connection.execute(_STOCK)
        self._send_first_order()
        listener = Listener()
        endpoint = {"url": listener.url, "events": ["*"], "description": "the merchant's own server"}
        told = self._caller("webhooks").ask("POST", "webhook_endpoints", endpoint)
        assert told.status_code == 201, told.text
        people = People(
            (self._caller("desk"), self._caller("office", 1)), self._asked.seed, self._numbers, self._done
        )
        self._mix(off=False)
        kills = self._load(people)
        faults = self._mix(off=True)
        self._settle(people)
        listener.stop()
        say(f"{len(listener.heard)} webhooks heard, {sum(listener.heard.values())} with repetitions")
        return self._report(judge(self._stack, faults), faults, kills)

    def _send_first_order(self) -> None:
        """The order of the very first start is held like any other here, and nobody else would send it."""
        shop = self._caller("first order")
        for (order,) in shop.rows("SELECT reference FROM payments_payment WHERE state = 'AUTHORIZED'"):
            sent = shop.insist(f"orders/{order}/shipments", {"carrier": "SF Express", "tracking": "SF1"})
            assert sent.status_code == 201, sent.text

    def _load(self, people: People) -> Counter[str]:
        killer = Killer(self._stack, self._asked.seed, self._asked.kills, self._progress)
        killer.start()
        people.start()
        began = time.monotonic()
        with ThreadPoolExecutor(self._asked.at_once) as pool:
            for number in range(self._asked.payments):
                pool.submit(self._visit, number)
        seconds = time.monotonic() - began
        killer.join(120)
        people.stop()
        say(
            f"{self._finished} visits in {seconds:.0f} s ({self._finished / seconds:.1f}/s): {dict(self._done)}"
        )
        return killer.kills

    def _caller(self, name: str, key: int = 0) -> Caller:
        if not hasattr(self._local, "http"):
            self._local.http = httpx.Client(timeout=30, trust_env=False)
        return Caller(self._stack, self._keys[key], f"{self._asked.seed}:{name}", self._local.http)

    def _visit(self, number: int) -> None:
        caller, approver = self._caller(f"{number}"), self._caller(f"{number} approves", 1)
        try:
            self._buy(number, caller, approver)
        except GaveUp as given_up:
            say(f"shopper {number}: {given_up}")
            caller.done["stranded"] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted and fails the drill
            say(f"shopper {number}: {error!r}")
            caller.done["broken"] += 1
        with self._lock:
            self._done += caller.done + approver.done
            self._finished += 1
            if self._finished % 100 == 0:
                say(f"{self._finished} visits, {dict(self._done)}")

    def _buy(self, number: int, caller: Caller, approver: Caller) -> None:
        random = Random(f"{self._asked.seed}:{number}")
        email = f"shopper-{self._asked.seed}-{number}@example.com"
        shopper = Shopper(caller, random, METHODS, email)
        self._numbers[shopper.place()] = number
        payment = shopper.pay()
        caller.done[payment["state"]] += 1
        if payment["state"] in ("SUCCEEDED", "AUTHORIZED"):
            Merchant(caller, approver, random, shopper.order, shopper.items).serve(payment)

    def _progress(self) -> float:
        return self._finished / self._asked.payments

    def _mix(self, *, off: bool) -> dict[str, int]:
        """Begin or end the providers' misfortunes; returns how many of each kind there were."""
        url = f"{self._stack.sandbox}/control/mix"
        wish: dict[str, Any] = {"seed": self._asked.seed, **MIX, "off": off}
        httpx.post(url, json=wish, timeout=30, trust_env=False).raise_for_status()
        faults: dict[str, int] = httpx.get(url, timeout=30, trust_env=False).json()["faults"]
        return faults

    def _settle(self, people: People) -> None:
        """Let time pass at the providers and people finish their work, until nothing is open any more."""
        end = time.monotonic() + SETTLE_SECONDS
        steps: Iterator[int] = iter(CLOCK_STEPS)
        while time.monotonic() < end:
            people.look_around(calm=True)
            step = next(steps, None)
            if step:
                url = f"{self._stack.sandbox}/control/clock"
                httpx.post(url, json={"advance": step}, timeout=60, trust_env=False).raise_for_status()
                time.sleep(3)
                continue
            waiting = still_open(self._stack)
            if not waiting:
                return
            say(f"open: {waiting}")
            time.sleep(5)

    def _report(self, verdict: Verdict, faults: dict[str, int], kills: Counter[str]) -> int:
        for line in [*verdict.lost[:20], *verdict.doubled[:20], *map(str, verdict.verify["broken"][:20])]:
            say(line)
        if verdict.stuck:
            say(f"stuck: {verdict.stuck}")
        print(
            json.dumps(
                {
                    "payments": self._asked.payments,
                    "seed": self._asked.seed,
                    "done": dict(self._done),
                    "faults": faults,
                    "kills": dict(kills),
                    "lost": len(verdict.lost),
                    "doubled": len(verdict.doubled),
                    "stuck": sum(verdict.stuck.values()),
                    "verify_ok": verdict.verify["ok"],
                }
            )
        )
        enough = min(kills.values(), default=0) >= self._asked.kills
        whole = not self._done["broken"] and not self._done["stranded"]
        return 0 if verdict.good and enough and whole else 1


if __name__ == "__main__":
    raise SystemExit(main())
