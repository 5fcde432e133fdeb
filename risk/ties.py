"""The graph around a payment, in SQL: two hops from customer to customer, each of bounded width.

RING is a part of the one statement that gathers a decision's evidence; `links` reads the same for a case's drawing.
Every step is an index scan with a limit, so the work does not grow with how popular an entity is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from ledger import identifiers
from ledger.wire import Statement, exchange, follow, listed
from risk import coupons, sightings
from risk.rings import LINKING, STRONG, Ring

# Behind a weak entity (a place, a network) more customers than this are strangers to each other, and link nobody.
_CROWD = 16
_REFUSALS_COUNT_FOR = timedelta(days=30)

# A tie is touched at most once an hour, so payments in a row do not write it. In the order of the keys, so that two
# statements about the same customer never wait for each other in a circle.
_KEEP = Statement(
    "risk_keep_ties",
    """
INSERT INTO risk_tie (id, customer_key, entity, entity_key, first_at, last_at, refused_at, coupon_at)
SELECT id, %(me)s, entity, entity_key, %(now)s::timestamptz, %(now)s::timestamptz, %(refused_at)s::timestamptz,
       %(coupon_at)s::timestamptz
  FROM unnest(%(tie_ids)s::uuid[], %(tie_kinds)s::text[], %(tie_keys)s::text[]) AS t(id, entity, entity_key)
 ORDER BY entity_key
ON CONFLICT (customer_key, entity_key) DO UPDATE
   SET last_at = greatest(risk_tie.last_at, EXCLUDED.last_at),
       refused_at = coalesce(EXCLUDED.refused_at, risk_tie.refused_at),
       coupon_at = coalesce(EXCLUDED.coupon_at, risk_tie.coupon_at)
 WHERE risk_tie.last_at < EXCLUDED.last_at - interval '1 hour' OR EXCLUDED.refused_at IS NOT NULL
    OR EXCLUDED.coupon_at IS NOT NULL
""",
)

# A power cut may take the last moment's ties with it, as the end of a process does: no customer waits for the disk.
_AT_LEISURE = Statement("risk_at_leisure", "SELECT set_config('synchronous_commit', 'off', true)")

_MINE = """
mine AS (
    SELECT * FROM unnest(%(tie_kinds)s::text[], %(tie_keys)s::text[]) AS t(entity, entity_key)
)"""

# The hops: `close_by` are the other customers behind my entities, `further` those behind the entities of these.
_HOPS = f"""
close_by AS (
    SELECT m.entity, m.entity_key, n.customer_key, n.refused_at, n.fraud_at
      FROM mine m CROSS JOIN LATERAL (
        SELECT t.*, count(*) OVER () AS crowd FROM (
            SELECT customer_key, refused_at, fraud_at FROM risk_tie
             WHERE entity_key = m.entity_key AND customer_key <> %(me)s AND first_at <= %(now)s
             ORDER BY last_at DESC LIMIT {_CROWD + 1}) t) n
     WHERE n.crowd <= {_CROWD} OR m.entity IN {listed(STRONG)}
),
chosen AS (
    SELECT customer_key FROM close_by GROUP BY customer_key ORDER BY count(*) DESC, customer_key LIMIT 12
),
bridges AS (
    SELECT c.customer_key AS via, b.entity, b.entity_key FROM chosen c CROSS JOIN LATERAL (
        SELECT entity, entity_key FROM risk_tie
         WHERE customer_key = c.customer_key AND entity IN {listed(STRONG)} AND first_at <= %(now)s
           AND entity_key <> ALL(%(tie_keys)s)
         ORDER BY last_at DESC LIMIT 5) b
),
further AS (
    SELECT b.via, b.entity, b.entity_key, f.customer_key, f.refused_at, f.fraud_at
      FROM bridges b CROSS JOIN LATERAL (
        SELECT customer_key, refused_at, fraud_at FROM risk_tie
         WHERE entity_key = b.entity_key AND customer_key <> b.via AND customer_key <> %(me)s
           AND first_at <= %(now)s
         ORDER BY last_at DESC LIMIT 6) f
)"""  # noqa: S608

WITH = f"WITH {_MINE}, {_HOPS}"

_FAR = "customer_key NOT IN (SELECT customer_key FROM close_by)"

# Who they are; to count them here takes a sort for each figure.
RING = """
(SELECT json_build_object(
    'near', (SELECT coalesce(json_agg(json_build_array(
                 entity, customer_key, refused_at BETWEEN %(refusals)s AND %(now)s, fraud_at <= %(now)s)), '[]')
               FROM close_by),
    'far', (SELECT coalesce(json_agg(json_build_array(customer_key, fraud_at <= %(now)s)), '[]') FROM further),
    'vouched', (SELECT coalesce(json_agg(entity), '[]') FROM risk_tie
                 WHERE customer_key = %(me)s AND entity_key = ANY(%(tie_keys)s) AND vouched_at <= %(now)s)
))"""

# Looked for only where a coupon is used. A crowd behind a place is no reason to look away: few of it are newcomers.
COUPONS = f"""
(SELECT coalesce(json_object_agg(entity, others), '{{}}') FROM (
    SELECT m.entity, count(*) AS others FROM mine m CROSS JOIN LATERAL (
        SELECT 1 FROM risk_tie
         WHERE entity_key = m.entity_key AND customer_key <> %(me)s
           AND coupon_at > %(coupons_since)s AND coupon_at <= %(now)s
         LIMIT {coupons.MOST}) n
     WHERE %(coupon)s AND m.entity IN {listed(coupons.SHARED)} GROUP BY m.entity) s)"""  # noqa: S608

_LINKS = f"""
WITH {_MINE}, {_HOPS}
SELECT 1, entity, entity_key, %(me)s, customer_key, fraud_at <= %(now)s, refused_at <= %(now)s FROM close_by
UNION
SELECT 2, entity, entity_key, via, customer_key, fraud_at <= %(now)s, refused_at <= %(now)s
  FROM further WHERE {_FAR}
ORDER BY 1, 2, 3, 4, 5
"""  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """`customer` was seen with an entity that `via` was seen with too. `hop` is 1 or 2. All are keys."""

    hop: int
    entity: str
    entity_key: str
    via: str
    customer: str
    fraud: bool
    refused: bool


def params(me: str, entities: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """The parameters of all statements here; `entities` are keys by kind, of which those that link are taken."""
    linking = [(str(kind), entities[kind]) for kind in LINKING if entities.get(kind)]
    return {
        "me": me,
        "now": now,
        "refusals": now - _REFUSALS_COUNT_FOR,
        "tie_kinds": [kind for kind, _ in linking],
        "tie_keys": [key for _, key in linking],
    }


def coupon_params(used: bool, now: datetime) -> dict[str, Any]:
    """What COUPONS needs beside them."""
    return {"coupon": used, "coupons_since": now - coupons.LATELY}


def ring(found: Mapping[str, Any]) -> Ring:
    """What RING answered, counted: each customer once, however many ways lead there."""
    near: dict[str, set[str]] = {}
    for entity, customer, _, _ in found["near"]:
        near.setdefault(entity, set()).add(customer)
    close_by = set().union(*near.values())
    return Ring(
        shared={entity: len(customers) for entity, customers in near.items()},
        near=len(close_by),
        far=len({customer for customer, _ in found["far"]} - close_by),
        refused=len({customer for _, customer, refused, _ in found["near"] if refused}),
        frauds_near=len({customer for _, customer, _, fraud in found["near"] if fraud}),
        frauds_far=len({customer for customer, fraud in found["far"] if fraud} - close_by),
        vouched=tuple(sorted(set(found["vouched"]))),
    )


def keep(
    me: str,
    entities: Mapping[str, str],
    now: datetime,
    *,
    refused: bool = False,
    coupon: bool = False,
    device: Mapping[str, Any] | None = None,
    after_commit: bool = False,
) -> None:
    """Remember whom a customer was seen with, and the `device` as `sightings.kept` has it.

    `coupon` says that a newcomer took one. To be run when no lock waits behind it: one round trip, none where it is
    left until `after_commit`. Outside of a transaction it does not wait for the disk.
    """
    given = params(me, entities, now)
    ids = [identifiers.new_digits() for _ in given["tie_keys"]]
    if me and ids:
        marks = {"refused_at": now if refused else None, "coupon_at": now if coupon else None}
        told = {**given, **marks, "tie_ids": ids}
        seen = [sightings.KEEP({**device, "now": now})] if device else []
        calls = [_KEEP(told), *seen]
        if after_commit:
            follow([_AT_LEISURE({}), *calls])
        else:
            exchange([_AT_LEISURE({}), *calls] if connection.get_autocommit() else calls)


def links(me: str, entities: Mapping[str, str], now: datetime) -> list[Link]:
    """The graph around a customer, nearest first. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_LINKS, params(me, entities, now))
        return [
            Link(
                hop=hop,
                entity=entity,
                entity_key=key,
                via=via,
                customer=customer,
                fraud=bool(fraud),
                refused=bool(refused),
            )
            for hop, entity, key, via, customer, fraud, refused in cursor.fetchall()
        ]
