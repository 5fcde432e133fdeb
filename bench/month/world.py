"""The stack whose providers live in the past, and what both sides say."""

import json
import sys
import threading
import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import psycopg

from bench.drill.caller import Caller
from tests.ports import four_ports
from tests.stack.copy import Stack

BEIJING = ZoneInfo("Asia/Shanghai")
_STOCK = "UPDATE checkout_stock SET total = total + 100000"
_LONG_SECONDS = 900


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Month:
    """`first` is its first day; it begins in the early morning of Beijing, which is the same day nowhere else."""

    def __init__(self, data: Path, *, days: int, seed: int) -> None:
        extra = {
            "DJANGO_SETTINGS_MODULE": "bench.month.quiet",
            "CAPTURE_ON_SHIPMENT": "true",
            "API_REQUESTS_PER_MINUTE": "1000000",
        }
        self.stack = Stack(data, four_ports(), extra)
        self.seed = seed
        self.first: date = (datetime.now(BEIJING) - timedelta(days=days + 5)).date()
        self.days = [self.first + timedelta(days=number) for number in range(days)]
        self.merchant = ""
        self._local = threading.local()

    def start(self) -> None:
        data = self.stack.data
        data.mkdir(parents=True, exist_ok=True)
        # The order that a first start makes is of today, and would hold the sandbox's clock there.
        (data / "first-order").touch()
        say(f"ready after {self.stack.start():.0f} s: {data}")
        self.set_clock(datetime.combine(self.first, clock_time(9), BEIJING))
        self.keys = [self.stack.manage("issue_api_key", "--name", name).strip() for name in ("shop", "till")]
        with psycopg.connect(self.stack.database_url) as connection:
            connection.execute(_STOCK)

    def caller(self, name: str, key: int = 0) -> Caller:
        if not hasattr(self._local, "http"):
            self._local.http = httpx.Client(timeout=60, trust_env=False)
        return Caller(self.stack, self.keys[key], f"{self.seed}:{name}", self._local.http)

    def set_clock(self, moment: datetime) -> None:
        self.control("POST", "clock", {"set": moment.astimezone(UTC).isoformat()})

    def control(self, method: str, path: str, body: Any = None) -> Any:
        url = f"{self.stack.sandbox}/control/{path}"
        answer = httpx.request(method, url, json=body, timeout=120, trust_env=False)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:400]}"
        return answer.json()

    def truth(self, what: str, **asked: Any) -> list[dict[str, Any]]:
        """Every row of a kind of the ground truth."""
        rows: list[dict[str, Any]] = []
        after = ""
        while True:
            words = "&".join(f"{name}={value}" for name, value in {**asked, "after": after}.items())
            page = self.control("GET", f"ground-truth/{what}?limit=5000&{words}")
            rows += page["lines" if what == "bank" else what]
            after = page["next"]
            if not after:
                return rows

    def rows(self, query: str, *values: Any) -> list[Any]:
        with psycopg.connect(self.stack.database_url) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def reconcile(self, *options: str) -> tuple[list[str], dict[str, int]]:
        """What the terminal tells, and the summary at the end."""
        written = self.stack.manage("reconcile", *options, seconds=_LONG_SECONDS)
        *lines, summary = written.splitlines()
        return lines, json.loads(summary)
