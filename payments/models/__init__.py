"""Tables of payments, one file per thing; `locked()` querysets are the only place that locks."""

from payments.models.api_key import ApiKey
from payments.models.attempt import Attempt
from payments.models.dispute import Dispute, EvidenceFile
from payments.models.dispute_movement import DisputeMovement
from payments.models.idempotency import IdempotencyKey
from payments.models.inbox import InboxEvent
from payments.models.outbox import OutboxDelivery, OutboxEvent
from payments.models.payment import Payment
from payments.models.refund import Refund
from payments.models.routing import ChannelSwitch, RoutingPolicy
from payments.models.vault import CustomerVault, SavedMethod
from payments.models.webhooks import WebhookDelivery, WebhookEndpoint, WebhookMessage

__all__ = [
    "ApiKey",
    "Attempt",
    "ChannelSwitch",
    "CustomerVault",
    "Dispute",
    "DisputeMovement",
    "EvidenceFile",
    "IdempotencyKey",
    "InboxEvent",
    "OutboxDelivery",
    "OutboxEvent",
    "Payment",
    "Refund",
    "RoutingPolicy",
    "SavedMethod",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookMessage",
]
