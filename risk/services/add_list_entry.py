"""Put an entity on a list by its value."""

from datetime import datetime

from django.db import transaction

from ledger.sentences import Sentence
from risk.errors import InvalidListEntry
from risk.features import text
from risk.models.lists import key_of
from risk.services.put_entry import put_entry


def add_list_entry(
    *,
    kind: str,
    entity: str,
    value: str,
    reason: str,
    actor: str,
    label: str = "",
    source: str = "operator",
    expires_at: datetime | None = None,
) -> str:
    """This will put `value` (as facts carry it) on the `kind` list from the next decision on, and return its "lst_…".

    On the fatal and the white list it comes once a second person has confirmed it; returned is then the "lch_…" of
    what waits. Use case. Only a keyed hash of the value is stored; `label` is shown to operators. Raises
    `InvalidListEntry`.
    """
    if not text(value):
        raise InvalidListEntry(Sentence("An empty value would never match."), param="value")
    with transaction.atomic(durable=True):
        return put_entry(
            kind=kind,
            entity=entity,
            entity_key=key_of(entity, value),
            reason=reason,
            actor=actor,
            label=label,
            source=source,
            expires_at=expires_at,
        )
