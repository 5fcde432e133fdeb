from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from ledger import audit
from payments.outward.endpoints import EndpointWithSecret, endpoint_row, endpoint_view, new_secret

OVERLAP = timedelta(hours=24)


def rotate_webhook_secret(*, endpoint: str, actor: str, reason: str = "") -> EndpointWithSecret:
    """This will sign for an endpoint (whe_…) with a new secret, and with the old one too for a day.

    Raises `WebhookEndpointNotFound`. Own transaction; locks the endpoint; audited.
    """
    secret = new_secret()
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        row = endpoint_row(endpoint, locked=True)
        row.rotate(secret, timezone.now() + OVERLAP)
        row.store()
        audit.record(action="webhook_endpoint.secret_rotated", object_id=row.public_id)
    return EndpointWithSecret(endpoint=endpoint_view(row), secret=secret)
