"""Reading a numbered, append-only table up to a point that can no longer change, without holding up writers."""

import time

from django.db import connection, models

_POLL_SECONDS = 0.02

# Whoever inserts takes this lock before the number and keeps it until the transaction ends.
_WRITERS = """
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND relation = %s::regclass
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND pid IS DISTINCT FROM pg_backend_pid()
"""


def settled_through(table: type[models.Model], *, patience: float = 2.0) -> int | None:
    """The highest number of `table` so far, once every transaction that could hold a lower one has ended.

    Numbers are given out in order but committed out of order: reading up to `max(id)` would miss what is
    still open below it. Waits at most `patience` seconds and then returns None: try again later.
    """
    with connection.cursor() as cursor:
        # Before the writers are listed: who begins to write afterwards gets a higher number.
        cursor.execute(
            "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence(%s, 'id')), 0)",
            [table._meta.db_table],
        )
        (highest,) = cursor.fetchone()
    earlier = _writers(table)
    give_up_at = time.monotonic() + patience
    while earlier & _writers(table):
        if time.monotonic() > give_up_at:
            return None
        time.sleep(_POLL_SECONDS)
    return int(highest)


def _writers(table: type[models.Model]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_WRITERS, [table._meta.db_table])
        return {transaction for (transaction,) in cursor.fetchall()}
