"""What is still open, and whether our books say what the world did."""

from dataclasses import dataclass
from typing import Any

import httpx
import psycopg

from tests.stack.copy import Stack

OPEN = {
    "payments": "SELECT count(*) FROM payments_payment WHERE state NOT IN ('SUCCEEDED', 'FAILED', 'CANCELLED')",
    "attempts": "SELECT count(*) FROM payments_attempt WHERE state IN ('CREATED', 'SENT', 'UNKNOWN')",
    "refunds": "SELECT count(*) FROM payments_refund WHERE state NOT IN ('SUCCEEDED', 'FAILED')",
    "inbox": "SELECT count(*) FROM payments_inboxevent WHERE state NOT IN ('APPLIED', 'IGNORED')",
    "outbox": "SELECT count(*) FROM payments_outboxevent WHERE delivered_at IS NULL",
    "orders": "SELECT count(*) FROM checkout_order WHERE state IN ('CREATING', 'PENDING_PAYMENT')",
}
# An order that keeps more than it costs was charged twice.
_KEPT = """SELECT ledger_public_id('ord', o.id), o.payable, sum(p.amount_captured - p.amount_refunded)
    FROM checkout_order o JOIN payments_payment p ON p.reference = ledger_public_id('ord', o.id)
    GROUP BY o.id HAVING sum(p.amount_captured - p.amount_refunded) > o.payable"""
_OURS = """SELECT ledger_public_id('att', a.id), p.amount_captured, p.amount_refunded
    FROM payments_payment p JOIN payments_attempt a ON a.payment_id = p.id
    WHERE a.kind = 'START' AND a.state = 'SUCCEEDED' AND p.amount_captured > 0"""


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
        counted = {name: connection.execute(query).fetchone()[0] for name, query in OPEN.items()}
    return {name: count for name, count in counted.items() if count}


def judge(stack: Stack) -> Verdict:
    theirs = _ground_truth(stack)
    with psycopg.connect(stack.database_url) as connection:
        ours = {row[0]: (row[1], row[2]) for row in connection.execute(_OURS)}
        kept = [f"{order} costs {payable}, {sum_} kept" for order, payable, sum_ in connection.execute(_KEPT)]
    lost, doubled = [], kept
    for reference in sorted(ours.keys() | theirs.keys()):
        captured, refunded = ours.get(reference, (0, 0))
        at_provider, back = theirs.get(reference, (0, 0))
        if captured < at_provider or refunded > back:
            lost.append(
                f"{reference}: {at_provider} taken and {back} returned, we say {captured} and {refunded}"
            )
        elif captured > at_provider or refunded < back:
            doubled.append(
                f"{reference}: {at_provider} taken and {back} returned, we say {captured} and {refunded}"
            )
    return Verdict(lost=lost, doubled=doubled, stuck=still_open(stack), verify=stack.verify())


def _ground_truth(stack: Stack) -> dict[str, tuple[int, int]]:
    answer = httpx.get(f"{stack.sandbox}/control/ground-truth", timeout=60, trust_env=False)
    answer.raise_for_status()
    sums: dict[str, tuple[int, int]] = {}
    for moved in answer.json()["movements"]:
        captured, refunded = sums.get(moved["reference"], (0, 0))
        sums[moved["reference"]] = (captured + moved["captured"], refunded + moved["refunded"])
    return sums
