"""What a decision needs from the database, in one statement whose every part is a bounded index scan."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from risk import features, ties
from risk.facts import PaymentFacts
from risk.features import Evidence, ListHit
from risk.states import LIVE_CASE, CaseState

_WINDOW = timedelta(minutes=1)
_MOST_COUNTED = 1000  # a count beyond this changes nothing, so it is not finished

_COUNT = """
    SELECT count(*) FROM (
        SELECT 1 FROM risk_decision
        WHERE {column} = %(key_{name})s AND %(key_{name})s <> ''
          AND happened_at > %(since)s AND happened_at <= %(now)s AND stage = %(stage)s
        LIMIT %(most)s
    ) AS counted"""

# Only column names of ours are put into the text; values are parameters.
_GATHER = f"""
{ties.WITH}
SELECT
    (SELECT id FROM risk_policy WHERE state = 'ACTIVE'),
    (SELECT id FROM risk_riskcase WHERE subject = %(subject)s AND kind = 'hold' AND state = ANY(%(live)s)),
    ({_COUNT.format(column="customer_key", name="customer")}),
    ({_COUNT.format(column="card_key", name="card")}),
    ({_COUNT.format(column="device_key", name="device")}),
    (SELECT coalesce(sum(amount), 0)::text FROM risk_limituse
      WHERE customer_key = %(key_customer)s AND used_on = %(day)s AND released_at IS NULL AND subject <> %(subject)s),
    (SELECT coalesce(json_agg(json_build_object('entry', id, 'kind', kind, 'entity', entity, 'reason', reason)
                              ORDER BY id), '[]')::text
       FROM risk_listentry
      WHERE entity_key = ANY(%(entities)s) AND ended_at IS NULL AND (expires_at IS NULL OR expires_at > %(now)s)),
    {ties.RING}
"""  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Evidence for the judge, and the rows that the decision belongs to."""

    policy_id: UUID | None
    live_case_id: UUID | None
    evidence: Evidence


def gather(facts: PaymentFacts, entities: tuple[tuple[str, str], ...], keys: dict[str, str]) -> Gathered:
    """The evidence about `facts`; `keys` names the customer's, card's and device's key ("" for none). One query."""
    now = features.moment(facts.happened_at)
    params: dict[str, Any] = {
        "subject": features.text(facts.subject),
        "live": [str(state) for state in CaseState if state in LIVE_CASE],
        "stage": str(features.stage(facts.stage)),
        "since": now - _WINDOW,
        "now": now,
        "day": features.calendar_day(facts.happened_at),
        "most": _MOST_COUNTED,
        "entities": [key for _, key in entities],
        **{f"key_{name}": key for name, key in keys.items()},
        **ties.params(keys["customer"], dict(entities), now),
    }
    with connection.cursor() as cursor:
        cursor.execute(_GATHER, params)
        policy_id, live_case_id, customer, card, device, spent, lists, ring = cursor.fetchone()
    seen = {"customer": customer, "card": card, "device": device}
    return Gathered(
        policy_id=policy_id,
        live_case_id=live_case_id,
        evidence=Evidence(
            payments_last_minute={name: count + 1 for name, count in seen.items() if keys[name]},
            spent_today=int(spent),
            lists=tuple(ListHit(**hit) for hit in json.loads(lists)),
            ring=ties.ring(json.loads(ring)),
        ),
    )
