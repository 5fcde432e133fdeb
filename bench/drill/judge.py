"""What is still open, and whether our books say what the world did."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg

from tests.stack.copy import Stack

OPEN = {
    "payments": """SELECT count(*) FROM payments_payment WHERE state NOT IN ('SUCCEEDED', 'FAILED', 'CANCELLED')
        OR amount_authorized > amount_captured""",
    "attempts": "SELECT count(*) FROM payments_attempt WHERE state IN ('CREATED', 'SENT', 'UNKNOWN')",
    "refunds": """SELECT count(*) FROM payments_refund
        WHERE state NOT IN ('SUCCEEDED', 'FAILED') OR (state = 'FAILED' AND NOT closed)""",
    "disputes": "SELECT count(*) FROM payments_dispute WHERE state IN ('WARNING', 'NEEDS_RESPONSE', 'UNDER_REVIEW')",
    "dispute movements": """SELECT count(*) FROM payments_disputemovement
        WHERE state NOT IN ('SUCCEEDED', 'FAILED')""",
    "inbox": "SELECT count(*) FROM payments_inboxevent WHERE state NOT IN ('APPLIED', 'IGNORED')",
    "outbox": "SELECT count(*) FROM payments_outboxevent WHERE delivered_at IS NULL",
    "deliveries": "SELECT count(*) FROM payments_outboxdelivery WHERE delivered_at IS NULL",
    "webhooks": "SELECT count(*) FROM payments_webhookmessage WHERE delivered_at IS NULL",
    "orders": "SELECT count(*) FROM checkout_order WHERE state IN ('CREATING', 'PENDING_PAYMENT')",
    "parcels": "SELECT count(*) FROM checkout_shipment WHERE state = 'WAITING_FOR_MONEY'",
}
# An order that keeps more than it costs was charged twice.
_KEPT = """SELECT ledger_public_id('ord', o.id), o.payable, sum(p.amount_captured - p.amount_refunded)
    FROM checkout_order o JOIN payments_payment p ON p.reference = ledger_public_id('ord', o.id)
    GROUP BY o.id HAVING sum(p.amount_captured - p.amount_refunded - p.amount_disputed) > o.payable"""
_OURS = """SELECT ledger_public_id('att', a.id), p.amount_captured, p.amount_refunded, p.amount_disputed
    FROM payments_payment p JOIN payments_attempt a ON a.payment_id = p.id
    WHERE a.kind = 'START' AND a.state = 'SUCCEEDED' AND p.amount_captured > 0"""
_HELD = """SELECT ledger_public_id('att', a.id) FROM payments_payment p JOIN payments_attempt a ON a.payment_id = p.id
    WHERE a.kind = 'START' AND a.state = 'SUCCEEDED' AND p.amount_authorized > p.amount_captured"""
# False notifications that our shop took for true, by the count of the sandbox.
_BELIEVED = ("notification_forged_accepted", "notification_foreign_accepted")


@dataclass(frozen=True, slots=True)
class Verdict:
    lost: list[str]
    doubled: list[str]
    stuck: dict[str, int]
    verify: dict[str, Any]

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.stuck) and bool(self.verify["ok"])


def still_open(stack: Stack) -> dict[str, int]:
    with psycopg.connect(stack.database_url) as connection:
        counted = {name: connection.execute(query).fetchall()[0][0] for name, query in OPEN.items()}
    return {name: count for name, count in counted.items() if count}


def judge(stack: Stack, faults: dict[str, int]) -> Verdict:
    """Money that only the provider knows is lost; money that only we know, or that an order pays twice, is doubled."""
    theirs = _ground_truth(stack)
    with psycopg.connect(stack.database_url) as connection:
        ours = {row[0]: row[1:] for row in connection.execute(_OURS)}
        held = Counter(reference for (reference,) in connection.execute(_HELD))
        doubled = [
            f"{order} costs {payable}, {kept} kept" for order, payable, kept in connection.execute(_KEPT)
        ]
    lost = [f"{faults[name]} times {name}" for name in _BELIEVED if faults.get(name)]
    for reference in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(reference, (0, 0, 0)), theirs.get(reference, (0, 0, 0))
        if here == there:
            continue
        words = f"{reference}: captured, refunded and disputed are {there} at the provider and {here} here"
        (lost if here[0] - here[1] - here[2] < there[0] - there[1] - there[2] else doubled).append(words)
    strange = Counter(_held(stack)) - held
    doubled += [
        f"{reference} is held at the provider, and nobody here knows" for reference in sorted(strange)
    ]
    return Verdict(lost=lost, doubled=doubled, stuck=still_open(stack), verify=stack.verify())


def _held(stack: Stack) -> list[str]:
    """What the customers' money is still reserved for."""
    url = f"{stack.sandbox}/control/payments"
    answer = httpx.get(url, params={"state": "authorized"}, timeout=60, trust_env=False)
    answer.raise_for_status()
    return [payment["reference"] for payment in answer.json()["payments"]]


def _ground_truth(stack: Stack) -> dict[str, tuple[int, int, int]]:
    sums: dict[str, tuple[int, int, int]] = {}
    after = ""
    while True:
        url = f"{stack.sandbox}/control/ground-truth"
        answer = httpx.get(url, params={"limit": 5000, "after": after}, timeout=60, trust_env=False)
        answer.raise_for_status()
        page = answer.json()
        for moved in page["movements"]:
            captured, refunded, disputed = sums.get(moved["reference"], (0, 0, 0))
            sums[moved["reference"]] = (
                captured + moved["captured"],
                refunded + moved["refunded"],
                disputed + moved["disputed"] - moved["reinstated"],
            )
        after = page["next"]
        if not after:
            return sums
