from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from standardwebhooks import Webhook

from payments import outbox
from payments.events import WebhookEndpointDisabled
from payments.models import WebhookDelivery, WebhookEndpoint, WebhookMessage
from payments.outward.posting import Posted, post
from payments.states import WebhookEndpointState

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=60)  # longer than a call may take
FAILS_AT_MOST = timedelta(days=5)
_GONE = 410


def send_webhook() -> bool:
    """This will send the message that is due first, if one is, and note what came of it.

    Three phases: lease it; call with no transaction open; note the outcome in a durable transaction that locks the
    endpoint only when it is switched off. A crash in between sends it again under the same `webhook-id`.
    """
    until = timezone.now() + LEASE
    share = max(1, settings.WEBHOOK_SENDERS // 2)
    message = WebhookMessage.objects.claim_one(timezone.now(), until, share)
    if message is None:
        return False
    posted = _send(message)
    with transaction.atomic(durable=True):
        _note(message, posted, until)
    return True


def _note(message: WebhookMessage, posted: Posted, until: datetime) -> None:
    """The endpoint before its message, as whoever switches it off takes them."""
    if posted.arrived:
        WebhookEndpoint.objects.note_success(message.endpoint_id)
    else:
        _note_failure(message, posted)
    if not message.tried(posted.arrived, until):
        return
    WebhookDelivery.objects.create(
        message=message,
        number=message.tries,
        status=posted.status,
        latency_ms=posted.latency_ms,
        excerpt=posted.excerpt,
        error=posted.error,
    )


def _send(message: WebhookMessage) -> Posted:
    now = timezone.now()
    secrets = message.endpoint.secrets(now)
    if not secrets:
        return Posted(None, "", 0, "its secret can not be read any more: rotate it")
    signatures = [Webhook(secret).sign(message.event, now, message.body) for secret in secrets]
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "SmartCheckout-Webhooks/1",
        "webhook-id": message.event,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    return post(message.endpoint.url, headers, message.body.encode())


def _note_failure(message: WebhookMessage, posted: Posted) -> None:
    log.warning(
        "webhook.failed", endpoint=message.endpoint.public_id, status=posted.status, event_id=message.event
    )
    row = WebhookEndpoint.objects.locked().filter(pk=message.endpoint_id).first()
    if row is None or row.state == WebhookEndpointState.DISABLED:
        return
    row.first_failed_at = row.first_failed_at or timezone.now()
    if posted.status == _GONE:
        _give_up(row, "it answered 410 Gone")
    elif timezone.now() - row.first_failed_at > FAILS_AT_MOST:
        _give_up(row, f"nothing has arrived for {FAILS_AT_MOST.days} days")
    row.store()


def _give_up(row: WebhookEndpoint, reason: str) -> None:
    row.disable(reason)
    row.messages.bury()
    outbox.publish(
        WebhookEndpointDisabled(
            reference=row.public_id, url=row.url, reason=reason, created_by=row.created_by
        )
    )
