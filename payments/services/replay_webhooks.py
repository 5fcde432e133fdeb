from datetime import datetime

from django.db import transaction

from ledger import audit
from payments.errors import WebhookEndpointIsDisabled, WebhookMessageNotFound
from payments.models import WebhookEndpoint, WebhookMessage
from payments.models.webhooks import MessageQuerySet
from payments.outward.endpoints import endpoint_row, message_key
from payments.states import WebhookEndpointState


def replay_webhooks(
    *, endpoint: str, actor: str, message: str = "", since: datetime | None = None, reason: str = ""
) -> int:
    """This will send one message (whm_…) again, or every one since a time that did not arrive; returns how many.

    The `webhook-id` stays, so a merchant who had it all the same does nothing twice. Raises
    `WebhookEndpointNotFound`, `WebhookMessageNotFound`, `WebhookEndpointIsDisabled`. Own transaction, audited.
    """
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        row = endpoint_row(endpoint)
        if row.state == WebhookEndpointState.DISABLED:
            raise WebhookEndpointIsDisabled("This endpoint is switched off: switch it on first.")
        count = _meant(row, message, since).send_again()
        if message and not count:
            raise WebhookMessageNotFound("This endpoint was never told of such a message.", param="message")
        told = {"message": message, "since": since.isoformat() if since else None, "messages": count}
        audit.record(action="webhook_endpoint.replayed", object_id=row.public_id, after=told)
    return count


def _meant(row: WebhookEndpoint, message: str, since: datetime | None) -> MessageQuerySet:
    messages = WebhookMessage.objects.filter(endpoint=row)
    if message:
        return messages.filter(pk=message_key(message))
    assert since is not None, "name a message or a time"
    return messages.filter(created_at__gte=since, delivered_at=None)
