"""`reconcile`: a gzipped bill is archived, loaded, matched with as many payments, and its planted differences found.

`RECONCILE_ROWS` (1,000,000) and `RECONCILE_LARGE` (5,000,000; 0 leaves it out) say how much, `RECONCILE_ROUNDS` (3)
how often the smaller one.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
import psycopg

from bench.frame import ROUNDS, finish, median, median_of, say
from bench.own_database import own_database
from bench.planted import DAY, MCHID, Planted
from config.embedded import postgres

ROWS = int(os.environ.get("RECONCILE_ROWS", "1000000"))
TIMES = int(os.environ.get("RECONCILE_ROUNDS", str(ROUNDS)))
LARGE = int(os.environ.get("RECONCILE_LARGE", "5000000"))
_RATIO, _GROWTH, _MEMORY_MIB, _MEMORY_GROWTH = 2.5, 6, 256, 1.5
_STATE = """
SELECT (SELECT json_agg(d ORDER BY id)::text FROM reconciliation_discrepancy d)
    || (SELECT json_agg(i ORDER BY id)::text FROM reconciliation_openitem i)
    || (SELECT json_agg(t ORDER BY id)::text FROM reconciliation_statementtotal t)
    || (SELECT json_agg(f ORDER BY id)::text FROM reconciliation_statementfile f)
    || (SELECT count(*)::text FROM reconciliation_statementchunk)
"""
_FORGET = """
SET session_replication_role = replica;
TRUNCATE reconciliation_discrepancy, reconciliation_openitem, reconciliation_statementtotal,
    reconciliation_statementchunk, reconciliation_statementfile CASCADE;
SET session_replication_role = origin;
"""
_REFERENCE_TABLE = """
DROP TABLE IF EXISTS bench_lines;
CREATE UNLOGGED TABLE bench_lines (number int, kind text, ref uuid, reference text, parent uuid,
    their_reference text, grp text,
    amount bigint, fee bigint, currency text, happened_at timestamptz, state text, text text)
"""
_CLASSIFY = """
SELECT CASE WHEN m.movement IS NULL THEN 'missing_here' WHEN s.ref IS NULL THEN 'missing_there'
        WHEN s.currency <> m.currency THEN 'currency' WHEN s.amount <> m.amount THEN 'amount'
        WHEN s.state <> 'success' THEN 'state' WHEN s.fee <> (m.amount * 54 + 5000) / 10000 * 1000 THEN 'fee'
        ELSE 'agrees' END AS kind, count(*)
FROM bench_lines s
FULL JOIN (SELECT movement, kind, currency, amount FROM payments_movement
    WHERE channel = 'wechat' AND happened_at >= %s AND happened_at < %s) m ON s.ref = m.movement AND s.kind = m.kind
GROUP BY 1
"""


class Reconcile:
    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._url = url

    def run(self) -> None:
        small = [self._round(ROWS, fresh=number == 0) for number in range(TIMES)]
        figures = median_of(small)
        figures |= {"rows": ROWS, "planted": 1000, "rounds": TIMES}
        ratio = median([one["seconds"] / one["reference_seconds"] for one in small])
        reached = ratio <= _RATIO and figures["memory_mib"] <= _MEMORY_MIB
        if LARGE:
            large = self._round(LARGE, fresh=True)
            growth = large["seconds"] / figures["seconds"]
            memory = large["memory_mib"] / figures["memory_mib"]
            figures |= {
                "large_rows": LARGE,
                "large_seconds": large["seconds"],
                "large_ratio": round(large["seconds"] / large["reference_seconds"], 2),
                "large_time_growth": round(growth, 2),
                "large_memory_mib": large["memory_mib"],
                "large_memory_growth": round(memory, 2),
            }
            reached = reached and growth <= _GROWTH * LARGE / ROWS / 5 and memory <= _MEMORY_GROWTH
            reached = reached and large["memory_mib"] <= _MEMORY_MIB
        finish(
            "reconcile",
            ratio=ratio,
            reference="raw COPY of the cleaned rows into an unlogged table, ANALYZE, one classifying FULL OUTER JOIN",
            figures=figures,
            reached=reached,
        )

    def _round(self, rows: int, *, fresh: bool) -> dict[str, float]:
        """Raises when a difference is missing, wrong or one too many, or when a second run changes anything."""
        planted = Planted(self._url, self._folder, rows)
        if fresh:
            began = time.monotonic()
            planted.write()
            say(f"{rows} payments and their bill after {time.monotonic() - began:.0f} s")
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(_FORGET)
            reference = self._reference(connection, planted)
            told = _import(planted.bill)
            self._prove(connection, planted)
            before = connection.execute(_STATE).fetchone()
            again = _import(planted.bill)
            assert connection.execute(_STATE).fetchone() == before, "a second run changed something"
        found = {
            "seconds": round(told["seconds"], 2),
            "load_seconds": round(told["load_seconds"], 2),
            "reference_seconds": round(sum(reference), 2),
            "reference_copy_seconds": round(reference[0], 2),
            "second_run_seconds": round(again["seconds"], 3),
            "memory_mib": round(told["memory_mib"], 1),
            "sql": told["sql"],
            "cpu_us_a_row": round(told["cpu_seconds"] / rows * 1e6, 2),
        }
        say(f"{rows}: {found}")
        return found

    def _reference(self, connection: psycopg.Connection[Any], planted: Planted) -> tuple[float, float]:
        """Seconds of the COPY with ANALYZE, and of the join."""
        connection.execute(_REFERENCE_TABLE)
        began = time.monotonic()
        with (
            planted.cleaned.open("rb") as content,
            connection.cursor().copy("COPY bench_lines FROM STDIN") as copy,
        ):
            while piece := content.read(256 * 1024):
                copy.write(piece)
        connection.execute("ANALYZE bench_lines")
        copied = time.monotonic()
        connection.execute("SET work_mem = '128MB'")
        connection.execute(_CLASSIFY, planted.window).fetchall()
        joined = time.monotonic()
        connection.execute("DROP TABLE bench_lines")
        return copied - began, joined - copied

    def _prove(self, connection: psycopg.Connection[Any], planted: Planted) -> None:
        found = {
            (kind, subject)
            for kind, subject in connection.execute("SELECT kind, subject FROM reconciliation_discrepancy")
        }
        missed, surplus = planted.faults - found, found - planted.faults
        assert not missed, f"missed {Counter(kind for kind, _ in missed)}: {sorted(missed)[:3]}"
        assert not surplus, f"wrong {Counter(kind for kind, _ in surplus)}: {sorted(surplus)[:3]}"


def _import(bill: Path) -> dict[str, Any]:
    """In a process of its own, whose memory and time are its own."""
    child = subprocess.run(
        [sys.executable, "-m", "bench.reconcile", str(bill)], check=True, stdout=subprocess.PIPE
    )
    told: dict[str, Any] = json.loads(child.stdout)
    return told


def imported(bill: Path) -> None:
    """What `import_statement` does, timed from the file to the last difference stored."""
    from django.db import connection  # noqa: PLC0415 - needs the settings
    from django.utils import timezone  # noqa: PLC0415

    from reconciliation.services.match_statement import match_statement  # noqa: PLC0415
    from reconciliation.services.receive_statement import receive_statement  # noqa: PLC0415
    from reconciliation.services.revisit_open_items import revisit_open_items  # noqa: PLC0415
    from reconciliation.staging import table  # noqa: PLC0415
    from reconciliation.states import StatementSource  # noqa: PLC0415

    load, spent, statements = table.StagedLines.load, [0.0], [0]

    def timed(*given: Any) -> int:
        since = time.monotonic()
        rows = load(*given)
        spent[0] = time.monotonic() - since
        return rows

    def counted(execute: Callable[..., Any], *given: Any) -> Any:
        statements[0] += 1
        return execute(*given)

    table.StagedLines.load = timed  # type: ignore[method-assign]
    began = time.monotonic()
    with connection.execute_wrapper(counted), bill.open("rb") as content:
        file = receive_statement(
            channel="wechat",
            kind="trade",
            day=DAY,
            name=bill.name,
            content=content,
            source=StatementSource.COMMAND,
            actor="bench",
        )
        match_statement(file=file.id)
        revisit_open_items(channel="wechat", now=timezone.now())
    told = {
        "seconds": time.monotonic() - began,
        "load_seconds": spent[0],
        "sql": statements[0],
        "cpu_seconds": time.process_time(),
        "memory_mib": _peak_kib() / 1024,
    }
    print(json.dumps(told))


def _peak_kib() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        django.setup()
        imported(Path(sys.argv[1]))
    else:
        os.environ["WECHAT_MCHID"] = MCHID
        with own_database() as cluster, tempfile.TemporaryDirectory(prefix="bench-") as name:
            url = cluster.url(postgres.SUPERUSER, cluster.superuser_password, "bench")
            Reconcile(Path(name), url).run()
