"""Many at the same moment: threads with database connections of their own."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection


def run(work: Callable[[Any], Any], arguments: Iterable[Any], at_once: int = 16) -> list[Any]:
    """What `work` returned, or raised, for each argument; `at_once` threads start together and share the arguments."""
    arguments = list(arguments)
    threads = min(at_once, len(arguments))
    gate = Barrier(threads)

    def enter() -> None:
        connection.ensure_connection()
        gate.wait()

    def one(argument: Any) -> Any:
        try:
            return work(argument)
        except Exception as refusal:  # noqa: BLE001 (the caller judges it)
            return refusal

    with ThreadPoolExecutor(threads, initializer=enter) as pool:
        outcomes = list(pool.map(one, arguments))
        leave = Barrier(threads)

        def close(_: int) -> None:
            leave.wait()
            connection.close()

        list(pool.map(close, range(threads)))
    return outcomes
