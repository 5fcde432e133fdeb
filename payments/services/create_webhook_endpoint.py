from collections.abc import Collection

from django.db import transaction

from ledger import audit
from payments.errors import TooManyWebhookEndpoints
from payments.models import WebhookEndpoint
from payments.outward.endpoints import EndpointWithSecret, check_endpoint, endpoint_view, new_secret

_MOST = 100


def create_webhook_endpoint(
    *, url: str, events: Collection[str], actor: str, description: str = ""
) -> EndpointWithSecret:
    """This will tell `url` of every event that matches `events` from now on, and return the secret that signs.

    Raises `WebhookUrlInvalid`, `WebhookEventUnknown`, `TooManyWebhookEndpoints`. Own transaction, audited.
    """
    check_endpoint(url=url, events=events)
    secret = new_secret()
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason="webhook endpoint created")
        if WebhookEndpoint.objects.count() >= _MOST:
            raise TooManyWebhookEndpoints(
                f"There are {_MOST} endpoints: delete one that is not used any more."
            )
        row = WebhookEndpoint.objects.create(
            url=url, events=sorted(set(events)), description=description, secret=secret, created_by=actor
        )
        audit.record(
            action="webhook_endpoint.created",
            object_id=row.public_id,
            after={"url": url, "events": row.events},
        )
    return EndpointWithSecret(endpoint=endpoint_view(row), secret=secret)
