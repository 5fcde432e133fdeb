"""Entries of a file beside those that are there: compared and written by three statements, however many they are."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from ledger import identifiers
from risk.listings import Row

_STAGE = """
CREATE TEMPORARY TABLE risk_brought (
    id uuid NOT NULL, kind text NOT NULL, entity text NOT NULL, entity_key text NOT NULL, label text NOT NULL,
    reason text NOT NULL, source text NOT NULL, expires_at timestamptz
) ON COMMIT DROP
"""
_COPY = "COPY risk_brought FROM STDIN"
_THERE = """
  FROM risk_brought b {join} risk_listentry e
    ON e.entity_key = b.entity_key AND e.kind = b.kind AND e.ended_at IS NULL
"""
_OTHER = (
    "(e.reason, e.source, e.label, e.expires_at) IS DISTINCT FROM (b.reason, b.source, b.label, b.expires_at)"
)
_COMPARE = f"""
SELECT b.kind, count(*) FILTER (WHERE e.id IS NULL), count(*) FILTER (WHERE e.id IS NOT NULL AND {_OTHER}),
       count(*) FILTER (WHERE e.id IS NOT NULL AND NOT {_OTHER})
{_THERE.format(join="LEFT JOIN")} GROUP BY b.kind ORDER BY b.kind
"""
_END = f"""
UPDATE risk_listentry e SET ended_at = %(now)s FROM risk_brought b
 WHERE e.entity_key = b.entity_key AND e.kind = b.kind AND e.ended_at IS NULL AND {_OTHER}
"""  # noqa: S608
_ADD = """
INSERT INTO risk_listentry (id, kind, entity, entity_key, label, reason, source, created_by, created_at, expires_at,
                            brought_by_id, confirmed_by)
SELECT b.id, b.kind, b.entity, b.entity_key, b.label, b.reason, b.source, %(actor)s, %(now)s, b.expires_at, %(by)s,
       %(second)s
  FROM risk_brought b
 WHERE NOT EXISTS (SELECT 1 FROM risk_listentry e
                    WHERE e.entity_key = b.entity_key AND e.kind = b.kind AND e.ended_at IS NULL)
    ON CONFLICT (entity_key, kind) WHERE ended_at IS NULL DO NOTHING
"""
_COLUMNS = "id, kind, entity, entity_key, label, reason, source, expires_at"
_PROPOSE = f"""
INSERT INTO risk_proposedentry (change_id, {_COLUMNS}) SELECT %(change)s, {_COLUMNS} FROM risk_brought
"""  # noqa: S608
_PROPOSED = f"""
INSERT INTO risk_brought ({_COLUMNS}) SELECT {_COLUMNS} FROM risk_proposedentry WHERE change_id = %(change)s
"""  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a file would do to one list."""

    kind: str
    added: int
    renewed: int  # there with other words or another end
    unchanged: int


def stage(rows: Iterable[Row]) -> None:
    """Beside the table until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        told: Any = cursor
        with told.copy(_COPY) as copy:
            for one in rows:
                copy.write_row(
                    (
                        identifiers.new_key(),
                        one.kind,
                        one.entity,
                        one.entity_key,
                        one.label,
                        one.reason,
                        one.source,
                        one.expires_at,
                    )
                )
        cursor.execute("ANALYZE risk_brought")


def compare() -> list[Compared]:
    with connection.cursor() as cursor:
        cursor.execute(_COMPARE)
        return [
            Compared(kind=kind, added=added, renewed=renewed, unchanged=unchanged)
            for kind, added, renewed, unchanged in cursor.fetchall()
        ]


def propose(change: UUID) -> None:
    """Keep what is staged until a second person has seen it."""
    with connection.cursor() as cursor:
        cursor.execute(_PROPOSE, {"change": change})


def stage_proposed(change: UUID) -> None:
    """What was kept, beside the table once more."""
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        cursor.execute(_PROPOSED, {"change": change})
        cursor.execute("ANALYZE risk_brought")


def write(*, by: UUID, actor: str, now: datetime, second: str = "") -> int:
    """End what is renewed, and add what is not there; how many were added."""
    with connection.cursor() as cursor:
        cursor.execute(_END, {"now": now})
        cursor.execute(_ADD, {"now": now, "actor": actor, "by": by, "second": second})
        return int(cursor.rowcount)
