"""A merchant's program that asks the API: the same key until there is an answer, whoever dies meanwhile."""

import json
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import httpx
import psycopg

from tests.stack.copy import Stack

PATIENCE_SECONDS = 240.0
# What stands in the way now and will not for long.
LATER = frozenset(
    {
        *("idempotency_key_in_flight", "rate_limited", "payment_in_progress", "payment_outcome_unknown"),
        *("payment_still_open", "channel_not_reachable", "shipment_waiting"),
    }
)
_SAME_KEY = ("idempotency_key_in_flight", "rate_limited")


class GaveUp(Exception):
    """Something was not answered for longer than anybody waits."""


@dataclass
class Caller:
    """`name` and the seed decide every idempotency key, so that a drill can be repeated."""

    stack: Stack
    api_key: str
    name: str
    http: httpx.Client
    done: Counter[str] = field(default_factory=Counter)
    _requests: int = 0

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """The answer, of which nobody is sure that it is the first."""
        self._requests += 1
        key = str(UUID(int=Random(f"key {self.name}:{self._requests}").getrandbits(128)))
        headers = {"Authorization": f"Bearer {self.api_key}", "Idempotency-Key": key}
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            try:
                url = f"{self.stack.url}/api/v1/{path}"
                answer = self.http.request(method, url, json=body, headers=headers)
            except httpx.TransportError:
                self.done["unanswered"] += 1
                time.sleep(0.3)
                continue
            if answer.status_code < 500 and code_of(answer) not in _SAME_KEY:
                return answer
            self.done[f"answered {answer.status_code}"] += 1
            time.sleep(float(answer.headers.get("Retry-After", 0.5)))
        raise GaveUp(f"{method} {path} was not answered in {PATIENCE_SECONDS:.0f} s")

    def look(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def insist(self, path: str, body: Any, *, later: Collection[str] = LATER) -> httpx.Response:
        """POST again, as another wish, while something else stands in the way."""
        end = time.monotonic() + PATIENCE_SECONDS
        pause = 0.3
        while time.monotonic() < end:
            answer = self.ask("POST", path, body)
            if code_of(answer) not in later:
                return answer
            time.sleep(pause)
            pause = min(pause * 1.5, 3.0)
        raise GaveUp(f"{path}: {answer.text[:200]} for {PATIENCE_SECONDS:.0f} s")

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """What a customer, a bank or the world does at the sandbox; None where it can not."""
        try:
            url = f"{self.stack.sandbox}/control/{path}"
            answer = self.http.request(method, url, json=body, timeout=15)
        except httpx.TransportError:
            return None
        return answer.json() if answer.status_code == 200 else None

    def rows(self, query: str, *values: Any) -> list[Any]:
        """A look into the books, for what only the harness wants to know. Nothing while they are down."""
        try:
            with psycopg.connect(self.stack.database_url, connect_timeout=5) as connection:
                return connection.execute(query.encode(), values).fetchall()
        except psycopg.OperationalError:
            return []


def code_of(answer: httpx.Response) -> str:
    """The problem's code; "" for what is no problem."""
    if answer.status_code < 400:
        return ""
    try:
        return str(answer.json()["code"])
    except (json.JSONDecodeError, KeyError, TypeError):
        return "?"
