from collections.abc import Collection

from django.db import transaction

from ledger import audit
from payments.models import WebhookEndpoint
from payments.outward.endpoints import EndpointView, check_endpoint, endpoint_row, endpoint_view
from payments.states import WebhookEndpointState


def change_webhook_endpoint(
    *,
    endpoint: str,
    actor: str,
    reason: str = "",
    url: str | None = None,
    events: Collection[str] | None = None,
    description: str | None = None,
    enabled: bool | None = None,
) -> EndpointView:
    """This will change what is given of an endpoint (whe_…). Switched off, it is told nothing: what happens meanwhile
    can not be replayed, what was waiting can.

    Raises `WebhookEndpointNotFound`, `WebhookUrlInvalid`, `WebhookEventUnknown`. Own transaction; locks the endpoint.
    """
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        row = endpoint_row(endpoint, locked=True)
        before = {"url": row.url, "events": row.events, "state": row.state}
        row.url = row.url if url is None else url
        row.events = row.events if events is None else sorted(set(events))
        row.description = row.description if description is None else description
        check_endpoint(url=row.url, events=row.events)
        if enabled is not None:
            _switch(row, enabled, reason)
        row.store()
        audit.record(
            action="webhook_endpoint.changed",
            object_id=row.public_id,
            before=before,
            after={"url": row.url, "events": row.events, "state": row.state},
        )
    return endpoint_view(row)


def _switch(row: WebhookEndpoint, on: bool, reason: str) -> None:
    if on and row.state == WebhookEndpointState.DISABLED:
        row.enable()
    elif not on and row.state == WebhookEndpointState.ENABLED:
        row.disable(reason or "switched off")
        row.messages.bury()
