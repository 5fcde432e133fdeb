"""Put an entity on a list."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from ledger import audit
from risk.errors import InvalidListEntry
from risk.features import text
from risk.models import ListEntry
from risk.models.lists import key_of
from risk.states import EntityKind, ListKind


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

    Use case. Only a keyed hash of the value is stored; `label` is shown to operators. Raises `InvalidListEntry`.
    """
    _check(kind, entity, value, reason, expires_at)
    key = key_of(entity, value)
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        try:
            with transaction.atomic():
                entry = ListEntry.objects.create(
                    kind=kind,
                    entity=entity,
                    entity_key=key,
                    label=text(label, 80),
                    reason=text(reason, 300),
                    source=text(source, 80),
                    created_by=actor,
                    expires_at=expires_at,
                )
        except IntegrityError as problem:
            raise InvalidListEntry(
                f"This {entity} is on the {kind} list already.", param="value"
            ) from problem
        after = {"kind": kind, "entity": entity, "entity_key": key}
        audit.record(action="listentry.add", object_id=entry.public_id, after=after)
    return entry.public_id


def _check(kind: str, entity: str, value: str, reason: str, expires_at: datetime | None) -> None:
    if kind not in list(ListKind):
        raise InvalidListEntry(f"A list is one of {', '.join(ListKind)}.", param="kind")
    if entity not in list(EntityKind):
        raise InvalidListEntry(f"An entity is one of {', '.join(EntityKind)}.", param="entity")
    if not text(value):
        raise InvalidListEntry("An empty value would never match.", param="value")
    if not text(reason).strip():
        raise InvalidListEntry("Say why: the reason is shown wherever the entry decides.", param="reason")
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidListEntry("The end is in the past.", param="expires_at")
