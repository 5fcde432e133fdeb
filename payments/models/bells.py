"""No payment, refund or dispute moves without its posting: at commit, whoever wrote it. Functions in migration 0009."""

import pgtrigger

from ledger.guards import Bell, Kept


def _changed(*columns: str) -> str:
    was, now = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
    return f"({was}) IS DISTINCT FROM ({now})"


# What the receivable, the refunds and the disputes of a payment must add up to.
PAYMENT: list[pgtrigger.Trigger] = [
    Kept(),
    Bell(
        "payments_ring_for_payment",
        written="NEW.amount_captured <> 0 OR NEW.captures <> 0 OR NEW.amount_refunded <> 0"
        " OR NEW.amount_disputed <> 0",
    ),
    Bell(
        "payments_ring_for_payment",
        moved=_changed("amount_captured", "captures", "amount_refunded", "amount_disputed")
        + " OR NEW.amount_captured <> 0 AND "
        + _changed("channel", "currency"),
    ),
]
REFUND: list[pgtrigger.Trigger] = [
    Kept(),
    Bell("payments_ring_for_refund", written="NEW.state = 'SUCCEEDED'"),
    Bell(
        "payments_ring_for_refund",
        moved="'SUCCEEDED' IN (OLD.state, NEW.state) AND "
        + _changed("state", "amount", "currency", "payment_id", "movement", "hand_account"),
    ),
]
DISPUTE: list[pgtrigger.Trigger] = [
    Kept(),
    Bell("payments_ring_for_dispute", written="NEW.withdrawn <> 0 OR NEW.fee <> 0"),
    Bell(
        "payments_ring_for_dispute",
        moved=_changed(
            "state", "withdrawn", "reinstated", "lost", "fee", "postings", "channel", "currency", "payment_id"
        ),
    ),
]
