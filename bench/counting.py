"""Each process writes how many statements it has sent to the database into <data>/statements/<pid>."""

import mmap
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


class Counting(AppConfig):
    name = "bench"

    def ready(self) -> None:
        connection_created.connect(_watch, weak=False)


class _Counter:
    """A number in a file that others may read at any time; a fork begins a new one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0

    def add(self) -> None:
        with self._lock:
            if self._pid != os.getpid():
                self._open()
            self._count += 1
            self._map[:8] = struct.pack("Q", self._count)

    def _open(self) -> None:
        self._pid, self._count = os.getpid(), 0
        folder = Path(os.environ["SMART_CHECKOUT_DATA"]) / "statements"
        folder.mkdir(exist_ok=True)
        with (folder / str(self._pid)).open("w+b") as file:
            file.write(bytes(8))
            file.flush()
            self._map = mmap.mmap(file.fileno(), 8)


_counter = _Counter()


def _watch(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if _count not in connection.execute_wrappers:
        connection.execute_wrappers.append(_count)


def _count(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    _counter.add()
    return execute(sql, params, many, context)
