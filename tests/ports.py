"""Ports for a whole copy of the program."""

import random

from config.embedded import ports

# Below the range from which the kernel gives ports to clients: nobody gets one of ours by chance in between.
_FIRST, _LAST = 20_000, 32_000


def four_ports() -> int:
    """The first of four free ports in a row; chance keeps copies apart that start at the same moment."""
    for first in random.sample(range(_FIRST, _LAST, 4), (_LAST - _FIRST) // 4):
        if all(ports.is_free(port) for port in range(first, first + 4)):
            return first
    raise AssertionError("no four free ports in a row")
