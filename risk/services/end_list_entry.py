"""Take an entity off a list."""

from django.db import transaction
from django.utils import timezone

from ledger import audit
from ledger.identifiers import MalformedIdentifier, decode
from ledger.sentences import Sentence
from risk.errors import ListChangeNotWaiting, ListEntryNotFound
from risk.features import text
from risk.models import ListChange, ListEntry
from risk.states import ListChangeKind, ListKind


def end_list_entry(*, entry: str, actor: str, reason: str) -> str:
    """This will end an entry from the next decision on; the row stays.

    A fatal one ends once a second person has confirmed it: returned is then the "lch_…" of what waits, else nothing.
    Use case; locks the entry. Raises `ListEntryNotFound`, `ListChangeNotWaiting` where that waits already.
    """
    try:
        key = decode("lst", entry)
    except MalformedIdentifier as problem:
        raise ListEntryNotFound(Sentence("There is no such list entry."), param="entry") from problem
    with transaction.atomic(durable=True):
        row = ListEntry.objects.locked().filter(pk=key, ended_at=None).first()
        if row is None:
            raise ListEntryNotFound(Sentence("There is no such list entry, or it has ended."), param="entry")
        audit.attribute(actor=actor, reason=reason)
        if row.kind == ListKind.FATAL:
            return _propose(row, actor, reason)
        row.end(at=timezone.now())
        audit.record(action="listentry.end", object_id=row.public_id)
        return ""


def _propose(row: ListEntry, actor: str, reason: str) -> str:
    if ListChange.objects.waiting().filter(ended=row).exists():
        raise ListChangeNotWaiting(
            Sentence("That this entry ends waits for a second person already."), param="entry"
        )
    change = ListChange.objects.create(
        kind=ListChangeKind.END.value, ended=row, reason=text(reason, 300), proposed_by=actor
    )
    audit.record(action="listchange.propose", object_id=change.public_id, after={"ends": row.public_id})
    return change.public_id
