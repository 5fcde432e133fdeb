"""What a decision needs from the database, in one round trip whose every part is a bounded index scan."""

import json
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from risk import features, sightings, ties
from risk.facts import PaymentFacts
from risk.features import Evidence, ListHit
from risk.models.lists import limit_lock
from risk.states import LIVE_CASE, CaseState, EntityKind, Stage

_WINDOW = timedelta(minutes=1)
_MOST_COUNTED = 1000  # a count beyond this changes nothing, so it is not finished

_COUNT = """
    SELECT count(*) FROM (
        SELECT 1 FROM risk_decision
        WHERE {column} = %(key_{name})s AND %(key_{name})s <> ''
          AND happened_at > %(since)s AND happened_at <= %(now)s AND stage = %(stage)s
        LIMIT %(most)s
    ) AS counted"""

# Whoever was first under the lock was first, whatever the clocks of two processes say.
_ATTEMPTS = """
    SELECT count(*) FROM (
        SELECT 1 FROM risk_decision
        WHERE customer_key = %(key_customer)s AND %(key_customer)s <> ''
          AND happened_at > %(since)s AND happened_at <= %(soon)s AND stage = 'payment'
        LIMIT %(most)s
    ) AS counted"""
_SPENT = """
    coalesce(sum(amount) FILTER (WHERE used_on = %(day)s), 0)::text,
    coalesce(sum(amount), 0)::text,
    coalesce(sum(amount) FILTER (WHERE used_on = %(day)s AND %(channel)s IN (channel, method)), 0)::text,
    coalesce(sum(amount) FILTER (WHERE %(channel)s IN (channel, method)), 0)::text,
    coalesce(sum(amount) FILTER (WHERE used_on = %(day)s AND %(method)s IN (channel, method)), 0)::text,
    coalesce(sum(amount) FILTER (WHERE %(method)s IN (channel, method)), 0)::text,
    count(DISTINCT merchant_key) FILTER (WHERE used_on = %(day)s AND new_merchant AND merchant_key <> %(merchant)s)"""
# A statement of its own, so that the one after it sees what whoever held the lock has committed.
LOCK = "SELECT pg_advisory_xact_lock(%(lock)s);"

# Instead of histories: counts of before this payment, each over at most so many rows.
_WIDER = ", ".join(
    f"""'{name}_count_{window}', (
    SELECT count(*) FROM (
        SELECT 1 FROM risk_decision
        WHERE {name}_key = %(key_{name})s AND %(key_{name})s <> '' AND stage = 'payment'
          AND happened_at > %(now)s - interval '{interval}' AND happened_at <= %(now)s
        LIMIT %(most)s
    ) AS counted)"""  # noqa: S608
    for name in ("customer", "card", "device")
    for window, interval in (("1m", "1 minute"), ("1h", "1 hour"), ("1d", "1 day"))
)


# Only column names of ours are put into the text; values are parameters.
def _gather(wider: str) -> str:
    return f"""
{ties.WITH}, {sightings.TWINS}
SELECT
    (SELECT id FROM risk_policy WHERE state = 'ACTIVE'),
    (SELECT json_build_array(policy_id, share)::text FROM risk_rollout WHERE state = 'RUNNING'),
    (SELECT id FROM risk_riskcase WHERE subject = %(subject)s AND kind = 'hold' AND state = ANY(%(live)s)),
    ({_COUNT.format(column="customer_key", name="customer")}),
    ({_COUNT.format(column="card_key", name="card")}),
    ({_COUNT.format(column="device_key", name="device")}),
    (SELECT coalesce(json_agg(json_build_object('entry', id, 'kind', kind, 'entity', entity, 'reason', reason)
                              ORDER BY id), '[]')::text
       FROM risk_listentry
      WHERE entity_key = ANY(%(entities)s) AND ended_at IS NULL AND (expires_at IS NULL OR expires_at > %(now)s)),
    {ties.RING},
    {sightings.SIGHTING},
    json_build_object({wider})::text,
    used.*,
    ({_ATTEMPTS}),
    EXISTS (SELECT 1 FROM risk_limituse
             WHERE customer_key = %(key_customer)s AND merchant_key = %(merchant)s AND merchant_key <> ''
               AND used_on < %(day)s AND released_at IS NULL)
  FROM (SELECT {_SPENT}
          FROM risk_limituse
         WHERE customer_key = %(key_customer)s AND used_on BETWEEN %(month)s AND %(month_end)s
           AND released_at IS NULL AND subject <> %(subject)s) AS used
"""  # noqa: S608


_GATHER, _GATHER_WIDER = _gather(""), _gather(_WIDER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Evidence for the judge, and the rows that the decision belongs to."""

    policy_id: UUID | None  # the active one, or the one that is rolled out where it decides for this customer
    live_case_id: UUID | None
    evidence: Evidence
    new_merchant: bool  # the customer paid it on no earlier day
    counts: Mapping[str, int]  # by the signal's name; of before this payment


def gather(
    facts: PaymentFacts,
    entities: tuple[tuple[str, str], ...],
    keys: Mapping[str, str],
    *,
    lock: bool = False,
    wider: bool = False,
) -> Gathered:
    """The evidence about `facts`; `keys` names the customer's, card's and device's key ("" for none). One round trip.

    With `lock` nobody else counts or uses the customer's limits until the transaction ends. With `wider` it counts
    for longer, as histories would.
    """
    params = _params(facts, entities, keys)
    statement = _GATHER_WIDER if wider else _GATHER
    with connection.cursor() as cursor:
        if lock:
            cursor.execute(LOCK + statement, params | {"lock": limit_lock(keys["customer"])})
            cursor.nextset()
        else:
            cursor.execute(statement, params)
        active_id, roll_out, live_case_id, customer, card, device, lists, ring, seen, counts, spent, *used = (
            cursor.fetchone()
        )
    lately = {"customer": customer, "card": card, "device": device}
    return Gathered(
        policy_id=_rolled_out(roll_out, keys["customer"]) or active_id,
        live_case_id=live_case_id,
        evidence=Evidence(
            payments_last_minute={name: count + 1 for name, count in lately.items() if keys[name]},
            spent_today=int(spent),
            lists=tuple(ListHit(**hit) for hit in json.loads(lists)),
            limits=_used(params, used) if features.text(facts.customer.reference) else None,
            ring=ties.ring(json.loads(ring)),
            device=sightings.sighting(seen, params["fingerprint"]),
        ),
        new_merchant=bool(params["merchant"]) and not used[-1],
        counts={name: n for name, n in json.loads(counts).items() if keys[name.partition("_")[0]]},
    )


def _params(
    facts: PaymentFacts, entities: tuple[tuple[str, str], ...], keys: Mapping[str, str]
) -> dict[str, Any]:
    now = features.moment(facts.happened_at)
    day = features.calendar_day(facts.happened_at)
    return {
        "subject": features.text(facts.subject),
        "live": [str(state) for state in CaseState if state in LIVE_CASE],
        "stage": str(features.stage(facts.stage)),
        "since": now - _WINDOW,
        "now": now,
        "soon": now + _WINDOW,
        "day": day,
        "month": day.replace(day=1),
        "month_end": day.replace(day=monthrange(day.year, day.month)[1]),
        "channel": features.text(facts.channel),
        "method": features.text(facts.instrument.kind),
        "merchant": dict(entities).get(EntityKind.MERCHANT, ""),
        "most": _MOST_COUNTED,
        "entities": [key for _, key in entities],
        **{f"key_{name}": key for name, key in keys.items()},
        **ties.params(keys["customer"], dict(entities), now),
        **sightings.params(facts, now),
    }


def _used(params: Mapping[str, Any], row: Sequence[Any]) -> dict[str, Any]:
    """What of the customer's limits is used up; attempts and new merchants include the one that is being asked."""
    month, of_channel, month_of_channel, of_method, month_of_method, merchants, attempts, known = row
    spent = {
        params["channel"]: {"day": int(of_channel), "month": int(month_of_channel)},
        params["method"]: {"day": int(of_method), "month": int(month_of_method)},
    }
    return {
        "attempts": attempts + (params["stage"] == Stage.PAYMENT),
        "spent_month": int(month),
        "new_merchants": 0 if known or not params["merchant"] else merchants + 1,
        "channels": {name: sums for name, sums in spent.items() if name},
    }


def _rolled_out(roll_out: str | None, customer_key: str) -> UUID | None:
    """Who can not be told from others is judged as everybody is."""
    if roll_out is None or not customer_key:
        return None
    policy, share = json.loads(roll_out)
    policy_id = UUID(policy)
    return policy_id if features.bucket(policy_id, customer_key) < share else None
