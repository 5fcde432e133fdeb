"""What a decision needs from the database, in one round trip whose every part is a bounded index scan."""

import json
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from ledger.wire import Row, Statement, exchange, exchange_while, listed
from risk import features, sightings, ties
from risk.facts import PaymentFacts
from risk.features import Evidence, ListHit
from risk.models.lists import limit_lock
from risk.states import LIVE_CASE, CaseState, EntityKind, Stage

T = TypeVar("T")

_WINDOW = timedelta(minutes=1)
_LIVE = [str(state) for state in CaseState if state in LIVE_CASE]
_MOST_COUNTED = 1000  # a count beyond this changes nothing, so it is not finished

_COUNT = f"""
    SELECT count(*) FROM (
        SELECT 1 FROM risk_decision
        WHERE {{column}} = %(key_{{name}})s AND %(key_{{name}})s <> ''
          AND happened_at > %(since)s AND happened_at <= %(now)s AND stage = %(stage)s
        LIMIT {_MOST_COUNTED}
    ) AS counted"""  # noqa: S608

# Whoever was first under the lock was first, whatever the clocks of two processes say.
_ATTEMPTS = f"""
    SELECT count(*) FROM (
        SELECT 1 FROM risk_decision
        WHERE customer_key = %(key_customer)s AND %(key_customer)s <> ''
          AND happened_at > %(since)s AND happened_at <= %(soon)s AND stage = 'payment'
        LIMIT {_MOST_COUNTED}
    ) AS counted"""  # noqa: S608
_SPENT = """
    'day', coalesce(sum(amount) FILTER (WHERE used_on = %(day)s), 0),
    'month', coalesce(sum(amount), 0),
    'channel_day', coalesce(sum(amount) FILTER (WHERE used_on = %(day)s AND %(channel)s IN (channel, method)), 0),
    'channel_month', coalesce(sum(amount) FILTER (WHERE %(channel)s IN (channel, method)), 0),
    'method_day', coalesce(sum(amount) FILTER (WHERE used_on = %(day)s AND %(method)s IN (channel, method)), 0),
    'method_month', coalesce(sum(amount) FILTER (WHERE %(method)s IN (channel, method)), 0),
    'new_merchants', count(DISTINCT merchant_key) FILTER (
        WHERE used_on = %(day)s AND new_merchant AND merchant_key <> %(merchant)s)"""
# A statement of its own, so that the one after it sees what whoever held the lock has committed.
_LOCK = Statement("risk_lock", "SELECT pg_advisory_xact_lock(%(lock)s)")

# Only column names of ours are put into the text; values are parameters.
_GATHER = Statement(
    "risk_gather",
    f"""
{ties.WITH}, {sightings.TWINS}
SELECT json_build_object(
    'policy', (SELECT id FROM risk_policy WHERE state = 'ACTIVE'),
    'roll_out', (SELECT json_build_array(policy_id, share) FROM risk_rollout WHERE state = 'RUNNING'),
    'case', (SELECT id FROM risk_riskcase WHERE subject = %(subject)s AND kind = 'hold' AND state IN {listed(_LIVE)}),
    'customer', ({_COUNT.format(column="customer_key", name="customer")}),
    'card', ({_COUNT.format(column="card_key", name="card")}),
    'device', ({_COUNT.format(column="device_key", name="device")}),
    'lists', (SELECT coalesce(json_agg(
                json_build_object('entry', id, 'kind', kind, 'entity', entity, 'reason', reason) ORDER BY id), '[]')
       FROM risk_listentry
      WHERE entity_key = ANY(%(entities)s) AND ended_at IS NULL AND (expires_at IS NULL OR expires_at > %(now)s)),
    'ring', {ties.RING},
    'seen', {sightings.SIGHTING},
    'coupons', {ties.COUPONS},
    'attempts', ({_ATTEMPTS}),
    'paid_before', EXISTS (SELECT 1 FROM risk_limituse
             WHERE customer_key = %(key_customer)s AND merchant_key = %(merchant)s AND merchant_key <> ''
               AND used_on < %(day)s AND released_at IS NULL),
    {_SPENT})
  FROM risk_limituse
 WHERE customer_key = %(key_customer)s AND used_on BETWEEN %(month)s AND %(month_end)s
   AND released_at IS NULL AND subject <> %(subject)s
""",  # noqa: S608
)

# Instead of histories: counts of before this payment, each over at most so many rows.
_BEFORE = ", ".join(
    f"""'{name}_count_{window}', (
    SELECT count(*) FROM (
        SELECT 1 FROM risk_decision
        WHERE {name}_key = %(key_{name})s AND %(key_{name})s <> '' AND stage = 'payment'
          AND happened_at > %(now)s::timestamptz - interval '{interval}' AND happened_at <= %(now)s
        LIMIT {_MOST_COUNTED}
    ) AS counted)"""  # noqa: S608
    for name in ("customer", "card", "device")
    for window, interval in (("1m", "1 minute"), ("1h", "1 hour"), ("1d", "1 day"))
)
_COUNTS = Statement("risk_counts", f"SELECT json_build_object({_BEFORE})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Evidence for the judge, and the rows that the decision belongs to."""

    policy_id: UUID | None  # the active one, or the one that is rolled out where it decides for this customer
    live_case_id: UUID | None
    evidence: Evidence
    new_merchant: bool  # the customer paid it on no earlier day


@dataclass(frozen=True, slots=True)
class _InForce:
    """Which policies judge: the active one, and whose customers a roll-out takes from it."""

    active: UUID | None = None
    roll_out: Sequence[Any] | None = None  # policy and share

    def policy_for(self, customer_key: str) -> UUID | None:
        """Who can not be told from others is judged as everybody is."""
        if self.roll_out is not None and customer_key:
            policy, share = self.roll_out
            policy_id = UUID(policy)
            if features.bucket(policy_id, customer_key) < share:
                return policy_id
        return self.active


class _Last:
    in_force = _InForce()  # what this process gathered last


def likely_policy(customer_key: str) -> UUID | None:
    """The policy that will most likely judge, before anything is gathered. Reads nothing."""
    return _Last.in_force.policy_for(customer_key)


def gather(
    facts: PaymentFacts,
    entities: tuple[tuple[str, str], ...],
    keys: Mapping[str, str],
    *,
    meanwhile: Callable[[], T],
    lock: bool = False,
) -> tuple[Gathered, T]:
    """The evidence about `facts`; `keys` names the customer's, card's and device's key ("" for none). One round trip.

    With `lock` nobody else counts or uses the customer's limits until the transaction ends. `meanwhile` is done
    while the database works; what it returns is returned.
    """
    params = _params(facts, entities, keys)
    calls = [_LOCK({"lock": limit_lock(keys["customer"])})] if lock else []
    rows, done = exchange_while([*calls, _GATHER(params)], meanwhile)
    found = _told(rows[-1])
    _Last.in_force = in_force = _InForce(
        UUID(found["policy"]) if found["policy"] else None, found["roll_out"]
    )
    return Gathered(
        policy_id=in_force.policy_for(keys["customer"]),
        live_case_id=UUID(found["case"]) if found["case"] else None,
        evidence=Evidence(
            payments_last_minute={name: found[name] + 1 for name in keys if keys[name]},
            spent_today=found["day"],
            lists=tuple(ListHit(**hit) for hit in found["lists"]),
            limits=_used(params, found) if features.text(facts.customer.reference) else None,
            ring=ties.ring(found["ring"]),
            device=sightings.sighting(found["seen"], params["fingerprint"]),
            coupons=found["coupons"],
        ),
        new_merchant=bool(params["merchant"]) and not found["paid_before"],
    ), done


def counts(facts: PaymentFacts, keys: Mapping[str, str]) -> dict[str, int]:
    """Counts of before this payment by the signal's name, of the keys that there are. One round trip."""
    params = {"now": features.moment(facts.happened_at)}
    (row,) = exchange([_COUNTS(params | _named(keys))])
    return {name: count for name, count in _told(row).items() if keys[name.partition("_")[0]]}


def _told(row: Row | None) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((row or [None])[0] or "{}")
    return told


def _named(keys: Mapping[str, str]) -> dict[str, str]:
    return {f"key_{name}": key for name, key in keys.items()}


def _params(
    facts: PaymentFacts, entities: tuple[tuple[str, str], ...], keys: Mapping[str, str]
) -> dict[str, Any]:
    now = features.moment(facts.happened_at)
    day = features.calendar_day(facts.happened_at)
    return {
        "subject": features.text(facts.subject),
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
        "entities": [key for _, key in entities],
        **_named(keys),
        **ties.params(keys["customer"], dict(entities), now),
        **ties.coupon_params(facts.coupon, now),
        **sightings.params(facts, now),
    }


def _used(params: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """What of the customer's limits is used up; attempts and new merchants include the one that is being asked."""
    known = found["paid_before"] or not params["merchant"]
    spent = {
        params["channel"]: {"day": found["channel_day"], "month": found["channel_month"]},
        params["method"]: {"day": found["method_day"], "month": found["method_month"]},
    }
    return {
        "attempts": found["attempts"] + (params["stage"] == Stage.PAYMENT),
        "spent_month": found["month"],
        "new_merchants": 0 if known else found["new_merchants"] + 1,
        "channels": {name: sums for name, sums in spent.items() if name},
    }
