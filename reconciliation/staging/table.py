"""The table that one statement's lines wait in while they are compared. It survives no crash, and need not."""

import struct
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Final

from django.db import connection

from reconciliation.models import StatementFile
from reconciliation.rows import Batch
from reconciliation.staging.encoding import COLUMNS, HEADER, TRAILER, Encoded, encoded
from reconciliation.staging.names import Names

# After so many rows those who watch are told.
_STEP = 100_000
_NAME: Final = struct.Struct(">hi16s").pack


class StagedLines:
    """Made anew by whoever holds the lock of the channel's statements. `names` may be in `table` more than once."""

    def __init__(self, file: StatementFile) -> None:
        self.table = f"reconciliation_staged_{file.id.hex}"
        self.names = f"{self.table}_names"

    def create(self) -> None:
        self.drop()
        _run(f"""
            CREATE UNLOGGED TABLE {self.table} (
                number integer NOT NULL, ref uuid NOT NULL, part smallint NOT NULL, parent uuid NOT NULL,
                amount bigint NOT NULL, fee bigint NOT NULL, happened_at timestamptz NOT NULL,
                currency text NOT NULL, kind text NOT NULL, state text NOT NULL, their_reference text NOT NULL,
                grp text NOT NULL, reference text NOT NULL, text text NOT NULL
            ) WITH (autovacuum_enabled = false);
            CREATE UNLOGGED TABLE {self.names} (ref uuid NOT NULL) WITH (autovacuum_enabled = false)
        """)

    def load(self, batches: Iterator[Batch], progress: Callable[[int], None]) -> int:
        """How many lines there were. Raises what `batches` raises: then the table is worth nothing."""
        done, names = 0, Names()
        parts = encoded(batches)
        for first in parts:
            done += self._copy(chain([first], parts), names)
            progress(done)
        # A tenth of the usual sample tells what there is to tell: names differ, and all else is alike.
        _run(f"""
            SET default_statistics_target = 10; ANALYZE {self.table}; ANALYZE {self.names};
            RESET default_statistics_target
        """)
        return done

    def _copy(self, parts: Iterator[Encoded], names: Names) -> int:
        rows = 0
        with connection.cursor() as cursor:
            told: Any = cursor
            with told.copy(f"COPY {self.table} ({COLUMNS}) FROM STDIN (FORMAT binary)") as copy:
                copy.write(HEADER)
                for part in parts:
                    copy.write(part.content)
                    names.note(part.keys)
                    rows += part.rows
                    if rows >= _STEP:
                        break
                copy.write(TRAILER)
            with told.copy(f"COPY {self.names} FROM STDIN (FORMAT binary)") as copy:
                copy.write(b"".join((HEADER, *(_NAME(1, 16, key) for key in names.taken()), TRAILER)))
        return rows

    def drop(self) -> None:
        _run(f"DROP TABLE IF EXISTS {self.table}, {self.names}")


def _run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
