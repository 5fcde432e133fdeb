"""SIGKILL to every part in turn, in an order that the seed decides."""

import threading
import time
from collections import Counter
from random import Random

from tests.stack import processes
from tests.stack.copy import Stack

# part → words in the command line of its processes
PARTS = {
    "web": ("gunicorn",),
    "worker": ("celery", "worker"),
    "relay": ("manage.py", "relay"),
    "redis": ("redis-server",),
    "postgres": ("postgres",),
}


class Killer(threading.Thread):
    """Kills each part `rounds` times while `progress()` goes from 0 to 1, evenly over the work and not the clock."""

    def __init__(self, stack: Stack, seed: int, rounds: int, progress: "callable[[], float]") -> None:
        super().__init__(daemon=True)
        self._stack = stack
        self._progress = progress
        self.kills: Counter[str] = Counter()
        self._order = [part for _ in range(rounds) for part in PARTS]
        Random(f"kills {seed}").shuffle(self._order)

    def run(self) -> None:
        for number, part in enumerate(self._order, start=1):
            due = 0.05 + 0.85 * number / len(self._order)
            while self._progress() < due:
                time.sleep(0.2)
            self._kill(part)

    def _kill(self, part: str) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if processes.kill(self._stack.data, *PARTS[part]):
                self.kills[part] += 1
                return
            time.sleep(0.2)
        raise RuntimeError(f"no process of {part} came back within a minute")
