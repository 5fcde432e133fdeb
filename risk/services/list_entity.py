"""Put somebody on a list after a decision, without knowing who it is."""

from django.db import transaction

from risk import selectors
from risk.errors import InvalidListEntry
from risk.services.put_entry import put_entry


def list_entity(*, decision: str, entity: str, kind: str, reason: str, actor: str) -> str:
    """This will put the card, device, address, … of a decision on the `kind` list, and return its "lst_…".

    On the fatal list it comes once a second person has confirmed it ("lch_…"). Use case. Works on the stored hash,
    so no value is needed. Raises `DecisionNotFound`, `InvalidListEntry`.
    """
    keys = selectors.decision(decision).inputs["entities"]
    if entity not in keys:
        raise InvalidListEntry(f"This decision knew no {entity[:20] or 'such entity'}.", param="entity")
    with transaction.atomic(durable=True):
        return put_entry(
            kind=kind,
            entity=entity,
            entity_key=keys[entity],
            reason=reason,
            actor=actor,
            label=f"from {decision}",
            source="review",
            expires_at=None,
        )
