from django.db import transaction

from ledger import audit
from payments.outward.endpoints import endpoint_row


def delete_webhook_endpoint(*, endpoint: str, actor: str, reason: str = "") -> None:
    """This will forget an endpoint (whe_…) with everything that it was told.

    Raises `WebhookEndpointNotFound`. Own transaction; locks the endpoint; audited.
    """
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        row = endpoint_row(endpoint, locked=True)
        audit.record(
            action="webhook_endpoint.deleted",
            object_id=row.public_id,
            before={"url": row.url, "events": row.events},
        )
        row.delete()
