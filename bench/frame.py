"""What every benchmark shares: the machine, medians, the program's own cost, and the form of the result."""

import json
import os
import platform
import statistics
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.stack import processes
from tests.stack.copy import Stack

ROUNDS = 3
RESULTS = Path(__file__).resolve().parent.parent / "var" / "bench"
# part → words in the command line of its processes
_PARTS = {
    "web": ("gunicorn",),
    "worker": ("celery", "worker"),
    "relay": ("manage.py", "relay"),
    "sandbox": ("-m", "sandbox"),
    "postgres": ("postgres",),
}
_TICKS = os.sysconf("SC_CLK_TCK")


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def finish(name: str, *, ratio: float, reference: str, figures: dict[str, Any], reached: bool) -> None:
    """The result as one line of JSON, here and in var/bench/<name>.json."""
    result = {
        "name": name,
        "ratio": round(ratio, 3),
        "reference": reference,
        "figures": {"rounds": ROUNDS, **figures, "machine": machine()},
        "reached": reached,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result), flush=True)


def machine() -> str:
    models = [line for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    model = models[0].partition(":")[2].strip() if models else platform.processor()
    load = os.getloadavg()[1]
    return (
        f"{os.cpu_count()} × {model}, {platform.system()} {platform.release()}, Python"
        f" {platform.python_version()}, PostgreSQL 18 with fsync, load of the last five minutes {load:.1f}"
    )


def disk_ms(folder: Path, times: int = 500) -> list[float]:
    """Of writing one page of a file and waiting until the disk has it: no commit takes less."""
    taken, page = [], bytes(8192)
    with (folder / "disk").open("wb", buffering=0) as file:
        file.write(page * times)
        os.fsync(file.fileno())
        for place in range(times):
            began = time.perf_counter()
            os.pwrite(file.fileno(), page, place * len(page))
            os.fdatasync(file.fileno())
            taken.append(1000 * (time.perf_counter() - began))
    (folder / "disk").unlink()
    return taken


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@dataclass(frozen=True, slots=True)
class Cost:
    """What the parts of a copy have used since they were started."""

    cpu_ms: dict[str, float]
    statements: dict[str, int]

    def since(self, earlier: "Cost", units: int) -> dict[str, float]:
        """For each unit of work: CPU time of each part, and statements sent to the database."""
        used = {f"cpu_ms_{part}": self.cpu_ms[part] - earlier.cpu_ms[part] for part in self.cpu_ms}
        used |= {f"sql_{part}": self.statements[part] - earlier.statements[part] for part in self.statements}
        return {name: round(value / units, 2) for name, value in used.items() if value}


def cost_of(stack: Stack) -> Cost:
    """BEGIN and COMMIT are not statements here. A process that has ended no longer counts."""
    pids = {part: processes.of(stack.data, *words) for part, words in _PARTS.items()}
    return Cost(
        {part: sum(map(cpu_ms, found)) for part, found in pids.items()},
        {part: sum(_statements(stack.data, pid) for pid in found) for part, found in pids.items()},
    )


def cpu_ms(pid: int) -> float:
    """What a process has used so far."""
    lines = _lines(f"/proc/{pid}/stat")
    fields = lines[0].rpartition(")")[2].split() if lines else ["0"] * 13
    return 1000 * (int(fields[11]) + int(fields[12])) / _TICKS


def _statements(data: Path, pid: int) -> int:
    try:
        return int(struct.unpack("Q", (data / "statements" / str(pid)).read_bytes())[0])
    except OSError:
        return 0


def median_of(costs: Sequence[dict[str, float]]) -> dict[str, float]:
    names = sorted({name for cost in costs for name in cost})
    return {name: round(median([cost.get(name, 0.0) for cost in costs]), 2) for name in names}


def stock_up(stack: Stack) -> None:
    """More than any benchmark sells."""
    with psycopg.connect(stack.database_url) as connection:
        connection.execute("UPDATE checkout_stock SET total = total + 1000000")
