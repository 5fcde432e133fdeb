from django.db import transaction
from django.utils import timezone

from ledger import audit
from ledger.identifiers import encode, new_key
from payments.errors import WebhookEndpointIsDisabled
from payments.events import Told
from payments.models import WebhookMessage
from payments.outward.announcement import TEST, body_of
from payments.outward.endpoints import endpoint_row
from payments.states import WebhookEndpointState


def send_test_webhook(*, endpoint: str, actor: str) -> str:
    """This will send a `webhook.test` to an endpoint (whe_…), like any event, and return the message (whm_…).

    Raises `WebhookEndpointNotFound`, `WebhookEndpointIsDisabled`. Own transaction, audited.
    """
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason="test")
        row = endpoint_row(endpoint)
        if row.state == WebhookEndpointState.DISABLED:
            raise WebhookEndpointIsDisabled("This endpoint is switched off: switch it on first.")
        told = Told(
            sequence=0,
            id=encode("evt", new_key()),
            name=TEST,
            subject=row.public_id,
            payload={},
            happened_at=timezone.now(),
        )
        message = WebhookMessage.objects.create(
            endpoint=row, event=told.id, type=TEST, subject=told.subject, sequence=0, body=body_of(told)
        )
        audit.record(action="webhook_endpoint.tested", object_id=row.public_id)
    return message.public_id
