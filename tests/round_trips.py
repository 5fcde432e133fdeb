"""Counting how often something waits for the database."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest


def round_trips(question: Callable[[], object]) -> int:
    """How often this waits for the database, in a transaction that has begun."""
    wait, trips = psycopg.Connection.wait, 0

    def counted(self: Any, *args: Any, **named: Any) -> Any:
        nonlocal trips
        trips += 1
        return wait(self, *args, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Connection, "wait", counted)
        question()
    return trips
