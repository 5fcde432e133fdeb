"""Devices in SQL: what a decision reads of one, as a part of the statement that gathers its evidence, and what it
leaves behind. Every step is an index scan with a limit."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ledger import identifiers
from ledger.wire import Statement
from risk import features
from risk.facts import PaymentFacts
from risk.models.lists import key_of
from risk.states import EntityKind, Stage
from risk.trust import Sighting

FINGERPRINT = "fingerprint"  # the kind under which fingerprints are hashed
_TWINS_SINCE = timedelta(days=7)

TWINS = """
twins AS (
    SELECT device_key FROM risk_device
     WHERE fingerprint_key = %(fingerprint)s AND fingerprint_key <> '' AND device_key <> %(key_device)s
       AND last_at > %(twins_since)s
     ORDER BY last_at DESC LIMIT 50
)"""

SIGHTING = """
(SELECT json_build_object(
    'device', (SELECT row_to_json(d) FROM (
        SELECT fingerprint_key AS home, first_at AS since, country, changed_at
          FROM risk_device WHERE device_key = %(key_device)s) d),
    'use', (SELECT row_to_json(u) FROM (
        SELECT first_at AS used_since, last_at AS used_last, refused_at, verified_at, verified_as,
               EXISTS (SELECT 1 FROM risk_tie o WHERE o.customer_key = t.customer_key AND o.entity = 'device'
                          AND o.first_at < t.first_at) AS had_others
          FROM risk_tie t WHERE customer_key = %(me)s AND entity_key = %(key_device)s) u),
    'freeze', (SELECT reason FROM risk_freeze
                WHERE device_key = %(key_device)s AND customer_key IN ('', %(me)s) AND ended_at IS NULL
                ORDER BY customer_key LIMIT 1),
    'twins', (SELECT count(*) FROM twins),
    'twin_customers', (SELECT count(DISTINCT customer_key) FROM twins t CROSS JOIN LATERAL (
        SELECT customer_key FROM risk_tie
         WHERE entity_key = t.device_key AND customer_key <> %(me)s ORDER BY last_at DESC LIMIT 5) c),
    'twin_frozen', EXISTS (SELECT 1 FROM twins JOIN risk_freeze USING (device_key)
                            WHERE customer_key = '' AND ended_at IS NULL)
))"""

# Touched at most once an hour, unless it tells something new.
KEEP = Statement(
    "risk_keep_device",
    """
INSERT INTO risk_device AS d (id, device_key, fingerprint_key, label, country, first_at, last_at)
VALUES (%(device_id)s, %(device)s, %(fingerprint)s, %(label)s, %(country)s, %(now)s, %(now)s)
ON CONFLICT (device_key) DO UPDATE
   SET last_at = greatest(d.last_at, EXCLUDED.last_at),
       label = coalesce(nullif(EXCLUDED.label, ''), d.label),
       country = coalesce(nullif(EXCLUDED.country, ''), d.country),
       fingerprint_key = coalesce(nullif(EXCLUDED.fingerprint_key, ''), d.fingerprint_key),
       changed_at = CASE WHEN d.fingerprint_key <> '' AND EXCLUDED.fingerprint_key NOT IN ('', d.fingerprint_key)
                         THEN EXCLUDED.last_at ELSE d.changed_at END
 WHERE d.last_at < EXCLUDED.last_at - interval '1 hour'
    OR EXCLUDED.fingerprint_key NOT IN ('', d.fingerprint_key)
    OR EXCLUDED.country NOT IN ('', d.country)
""",
)


def params(facts: PaymentFacts, now: datetime) -> dict[str, Any]:
    """What SIGHTING needs beside the keys of customer and device."""
    told = features.text(facts.device.fingerprint)
    return {"fingerprint": key_of(FINGERPRINT, told) if told else "", "twins_since": now - _TWINS_SINCE}


def sighting(read: Mapping[str, Any], fingerprint: str) -> Sighting:
    """What SIGHTING answered."""
    rows: dict[str, Any] = {**(read["device"] or {}), **(read["use"] or {})}
    return Sighting(
        **{name: _read(name, value) for name, value in rows.items()},
        fingerprint=fingerprint,
        frozen=read["freeze"] is not None,
        frozen_reason=read["freeze"] or "",
        twins=read["twins"],
        twin_customers=read["twin_customers"],
        twin_frozen=read["twin_frozen"],
    )


def kept(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What KEEP needs of a stored decision, beside the time."""
    device, key = inputs["facts"]["device"], inputs["entities"].get(EntityKind.DEVICE, "")
    if not key:
        return {}
    return {
        "device_id": identifiers.new_key(),
        "device": key,
        "fingerprint": inputs["device"]["fingerprint"],
        "label": device["label"][:80],
        # What the check before the order finds must still be news to the payment's.
        "country": device["ip_country"][:2] if inputs["facts"]["stage"] == Stage.PAYMENT else "",
    }


_MOMENTS = frozenset({"since", "changed_at", "used_since", "used_last", "refused_at", "verified_at"})


def _read(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if value and name in _MOMENTS else value
