from collections.abc import Iterable

from django.db import transaction

from ledger import audit
from ledger.identifiers import MalformedIdentifier, decode
from payments.errors import NotDead
from payments.models import OutboxDelivery


def replay_deliveries(*, deliveries: Iterable[str], actor: str, reason: str) -> int:
    """This will have the relay tell dead events (dlv_…) to their subscribers again; returns how many.

    Raises `NotDead` when none of them is dead. Own transaction, with an audit entry for each.
    """
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        try:
            keys = [decode("dlv", one) for one in deliveries]
        except MalformedIdentifier as error:
            raise NotDead("There is no such delivery.") from error
        rows = list(OutboxDelivery.objects.locked().dead().filter(pk__in=keys))
        if not rows:
            raise NotDead("None of these is dead: they were delivered, or are still being tried.")
        OutboxDelivery.objects.filter(pk__in=[row.pk for row in rows]).revive()
        for row in rows:
            told = {"subscriber": row.subscriber, "tries": row.tries, "error": row.error}
            audit.record(action="outbox_delivery.replayed", object_id=row.public_id, before=told)
    return len(rows)
