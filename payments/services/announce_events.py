from collections.abc import Sequence

from django.db import transaction

from payments.events import Told
from payments.models import WebhookEndpoint, WebhookMessage
from payments.outward.announcement import PUBLIC, body_of


def announce_events(*, events: Sequence[Told]) -> int:
    """This will write down what every merchant's endpoint is to be told of `events`; the senders send it.

    Told twice of an event it writes it once. Own transaction; two statements, however many events. Returns how many
    messages were meant.
    """
    public = [told for told in events if told.name in PUBLIC]
    if not public:
        return 0
    with transaction.atomic(durable=True):
        endpoints = list(WebhookEndpoint.objects.enabled())
        rows = [
            WebhookMessage(
                endpoint=endpoint,
                event=told.id,
                type=told.name,
                subject=told.subject,
                sequence=told.sequence,
                body=body_of(told),
            )
            for told in public
            for endpoint in endpoints
            if endpoint.wants(told.name)
        ]
        if rows:
            WebhookMessage.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)
    return len(rows)
