"""Stored decisions, read in the order of their keys, some at a time: no long transaction, and flat memory."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from ledger.identifiers import first_key_of

CHUNK = 1000
LAST = UUID(int=2**128 - 1)
# A decision's key is made before its transaction ends: what is older than this is all there.
SETTLED = timedelta(minutes=2)

# The last that was heard of the payment, or else that a person said of it. Rejected and expired are not the same:
# nobody looked at the latter.
LABEL = """
    LEFT JOIN LATERAL (
        SELECT coalesce((
            SELECT o.fraud FROM risk_outcome o WHERE o.subject = d.subject ORDER BY o.known_at DESC, o.id DESC LIMIT 1
        ), (
            SELECT c.state = 'REJECTED' FROM risk_riskcase c
            WHERE c.subject = d.subject AND c.state IN ('APPROVED', 'REJECTED')
            ORDER BY c.id DESC LIMIT 1
        )) AS fraud
    ) AS label ON true"""

_READ = f"""
SELECT d.id, d.subject, d.action, d.inputs::text, label.fraud
  FROM risk_decision d {LABEL}
 WHERE d.id > %(after)s AND d.id < %(before)s AND d.stage = 'payment'
 ORDER BY d.id LIMIT %(most)s
"""  # noqa: S608
_LATEST = f"""
SELECT d.id, d.subject, d.action, d.inputs::text, label.fraud
  FROM (SELECT * FROM risk_decision WHERE stage = 'payment' ORDER BY id DESC LIMIT %(most)s) AS d {LABEL}
 ORDER BY d.id
"""  # noqa: S608
_ACTIONS = """
SELECT id, action FROM risk_decision
 WHERE id > %(after)s AND id < %(before)s AND stage = 'payment' ORDER BY id LIMIT %(most)s
"""
_INPUTS = "SELECT id, inputs::text FROM risk_decision WHERE id = ANY(%(keys)s)"
_ESTIMATE = (
    "EXPLAIN (FORMAT JSON) SELECT 1 FROM risk_decision WHERE id > %s AND id < %s AND stage = 'payment'"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """`fraud` is what is known by now, None where nobody said."""

    id: UUID
    subject: str
    action: str
    inputs: dict[str, Any]
    fraud: bool | None


def chunks(after: UUID, before: UUID, most: int = CHUNK) -> Iterator[list[Stored]]:
    """All between the two keys. Each chunk is a statement of its own."""
    while True:
        rows = _rows(_READ, {"after": after, "before": before, "most": most})
        if rows:
            yield rows
            after = rows[-1].id
        if len(rows) < most:
            return


def actions(after: UUID, before: UUID, most: int) -> list[tuple[UUID, str]]:
    """Key and action of the first between the two keys."""
    with connection.cursor() as cursor:
        cursor.execute(_ACTIONS, {"after": after, "before": before, "most": most})
        return [(key, action) for key, action in cursor.fetchall()]


def inputs_of(keys: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(_INPUTS, {"keys": list(keys)})
        return {key: json.loads(inputs) for key, inputs in cursor.fetchall()}


def latest(most: int) -> list[Stored]:
    """The newest, oldest first."""
    return _rows(_LATEST, {"most": most})


def estimate(after: UUID, before: UUID) -> int:
    """About how many lie between the two keys, as the planner guesses: to count them would be to read them."""
    with connection.cursor() as cursor:
        cursor.execute(_ESTIMATE, [after, before])
        (told,) = cursor.fetchone()
    plan = json.loads(told) if isinstance(told, str) else told
    return int(plan[0]["Plan"]["Plan Rows"])


def key_before(moment: datetime) -> UUID:
    """Less than every key made at `moment` or later."""
    return UUID(int=first_key_of(moment).int - 1)


def made_at(key: UUID) -> datetime:
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC)


def _rows(statement: str, params: dict[str, Any]) -> list[Stored]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return [
            Stored(key, subject, action, json.loads(inputs), fraud)
            for key, subject, action, inputs, fraud in cursor.fetchall()
        ]
