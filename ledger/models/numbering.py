"""Reading a numbered, append-only table up to a point that can no longer change, without locking it."""

import time
from typing import Any

from django.db import connection, models

_POLL_SECONDS = 0.02


def settled_through(table: type[models.Model], *, patience: float = 2.0) -> int | None:
    """The highest number of `table` so far, once every transaction that could hold a lower one has ended.

    Numbers are given out in order but committed out of order: reading up to `max(id)` would miss what is
    still open below it. Waits at most `patience` seconds and then returns None: try again later.
    The caller must not have written in its own transaction yet.
    """
    # Two statements on purpose: each has its own snapshot, and the number must be read first.
    highest = _number(
        "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence(%s, 'id')), 0)",
        [table._meta.db_table],
    )
    horizon = _number("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    give_up_at = time.monotonic() + patience
    while _number("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint") < horizon:
        if time.monotonic() > give_up_at:
            return None
        time.sleep(_POLL_SECONDS)
    return highest


def _number(sql: str, parameters: list[Any] | None = None) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        (value,) = cursor.fetchone()
    return int(value)
