"""Agree to a change of the lists as a second person."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from ledger import audit
from ledger.sentences import Sentence
from risk import bringing
from risk.errors import (
    ListChangeNotFound,
    ListChangeNotWaiting,
    ListEntryNotFound,
    ReasonMissing,
    SecondPersonNeeded,
)
from risk.models import ListChange, ListEntry, ListImport
from risk.services.put_entry import put_entry
from risk.services.write_import import write_import
from risk.states import ListChangeKind, ListChangeState


def confirm_list_change(*, change: str, actor: str, reason: str) -> str:
    """This will let what was proposed decide from the next decision on, and return the "lst_…" or "lim_…" it became.

    Use case; locks the change, then the lists. Raises `ListChangeNotFound`, `ListChangeNotWaiting`, `ReasonMissing`,
    `SecondPersonNeeded` for whoever proposed it and where no person did, and `InvalidListEntry` or `ListEntryNotFound`
    where the lists have changed meanwhile: then it goes on waiting.
    """
    if not reason.strip():
        raise ReasonMissing(Sentence("Say why: the reason is kept with the change."), param="reason")
    with transaction.atomic(durable=True):
        row = ListChange.objects.named(change).locked().first()
        if row is None:
            raise ListChangeNotFound(Sentence("There is no such change of the lists."), param="change")
        if row.state != ListChangeState.WAITING:
            raise ListChangeNotWaiting(Sentence("Somebody decided meanwhile."))
        _require_second_person(row, actor)
        audit.attribute(actor=actor, reason=reason)
        now = timezone.now()
        became = _carried_out(row, actor, now)
        row.confirm(actor=actor, reason=reason.strip(), at=now)
        row.store()
        return became


def _require_second_person(row: ListChange, actor: str) -> None:
    if row.proposed_by == actor:
        raise SecondPersonNeeded(Sentence("You proposed this yourself: a second person has to confirm it."))
    if not row.by_person:
        raise SecondPersonNeeded(
            Sentence("No person is known to have proposed this: reject it, and propose it anew.")
        )


def _carried_out(row: ListChange, actor: str, now: datetime) -> str:
    match row.kind:
        case ListChangeKind.END:
            return _ended(row, now)
        case ListChangeKind.FILE:
            return _taken(row, actor, now)
        case _:
            one = row.entries.get()
            return put_entry(
                kind=one.kind,
                entity=one.entity,
                entity_key=one.entity_key,
                label=one.label,
                reason=one.reason,
                source=one.source,
                expires_at=one.expires_at,
                actor=row.proposed_by,
                confirmed_by=actor,
            )


def _ended(row: ListChange, now: datetime) -> str:
    assert row.ended_id is not None, "an end names its entry"
    entry = ListEntry.objects.locked().filter(pk=row.ended_id, ended_at=None).first()
    if entry is None:
        raise ListEntryNotFound(Sentence("This entry has ended meanwhile: reject the change."), param="entry")
    entry.end(at=now)
    audit.record(action="listentry.end", object_id=entry.public_id)
    return entry.public_id


def _taken(row: ListChange, actor: str, now: datetime) -> str:
    ListImport.objects.one_at_a_time()
    if ListImport.objects.filter(digest=row.digest).exists():
        raise ListChangeNotWaiting(Sentence("This very file was taken meanwhile: reject the change."))
    bringing.stage_proposed(row.pk)
    found = bringing.compare()
    taken = write_import(
        found=found, digest=row.digest, name=row.name, actor=row.proposed_by, now=now, second=actor
    )
    return taken.public_id
