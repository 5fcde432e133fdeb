"""Take an entity off a list."""

from django.db import transaction
from django.utils import timezone

from ledger import audit
from ledger.identifiers import MalformedIdentifier, decode
from risk.errors import ListEntryNotFound
from risk.models import ListEntry


def end_list_entry(*, entry: str, actor: str, reason: str) -> None:
    """This will end an entry from the next decision on; the row stays.

    Use case; locks the entry. Raises `ListEntryNotFound`.
    """
    try:
        key = decode("lst", entry)
    except MalformedIdentifier as problem:
        raise ListEntryNotFound("There is no such list entry.", param="entry") from problem
    with transaction.atomic(durable=True):
        row = ListEntry.objects.locked().filter(pk=key, ended_at=None).first()
        if row is None:
            raise ListEntryNotFound("There is no such list entry, or it has ended.", param="entry")
        audit.attribute(actor=actor, reason=reason)
        row.ended_at = timezone.now()
        row.save(update_fields=["ended_at"])
        audit.record(action="listentry.end", object_id=row.public_id)
