"""Cores that do not fall asleep while something is measured.

A virtual machine's core that has nothing to do is given back, and takes up to a millisecond to come again when an
answer arrives for it. An operation that asks others several times pays that each time, unless the machine is busy.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_STAY = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
while True:
    pass
"""


@contextmanager
def awake() -> Iterator[None]:
    """Each core has work that gives way to all other. Linux only."""
    cores = os.sched_getaffinity(0)
    children = [subprocess.Popen([sys.executable, "-c", _STAY, str(core)]) for core in cores]
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()
