"""What merchants are told of an event: thin, stable, documented in docs/webhooks.md. Pure."""

import json
from collections.abc import Iterable
from datetime import UTC

from payments.events import Told

TEST = "webhook.test"
PUBLIC = (
    "order.placed",
    "order.paid",
    "order.shipped",
    "order.rest_cancelled",
    "order.cancelled",
    "order.cancelled_after_pay",
    "payment.authorized",
    "payment.captured",
    "payment.succeeded",
    "payment.failed",
    "payment.cancelled",
    "payment.released",
    "payment.lapsing",
    "refund.requested",
    "refund.awaiting_approval",
    "refund.succeeded",
    "refund.failed",
    "dispute.opened",
    "dispute.updated",
    "dispute.closed",
    TEST,
)
# Of an event's payload these are said, where it has them; everything else is ours.
_FIELDS = (
    "payment",
    "refund",
    "dispute",
    "shipment",
    "amount",
    "payable",
    "unsent",
    "captured",
    "captured_total",
    "released",
    "held",
    "requested",
    "refunded",
    "refunded_total",
    "disputed",
    "withdrawn",
    "currency",
    "method",
    "state",
    "reason",
    "code",
    "expires_at",
    "held_until",
    "due_by",
)


def body_of(told: Told) -> str:
    """The message, as it is signed and sent."""
    data = (
        {"order": told.payload["reference"]} if told.payload.get("reference", "").startswith("ord_") else {}
    )
    data |= {name: told.payload[name] for name in _FIELDS if name in told.payload}
    message = {
        "type": told.name,
        "timestamp": told.happened_at.astimezone(UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z"),
        "data": {**data, "sequence": told.sequence},
    }
    return json.dumps(message, separators=(",", ":"))


def unknown_patterns(patterns: Iterable[str]) -> list[str]:
    """Those that match no event."""
    families = {f"{name.partition('.')[0]}.*" for name in PUBLIC}
    return sorted({pattern for pattern in patterns if pattern not in {"*", *PUBLIC, *families}})
