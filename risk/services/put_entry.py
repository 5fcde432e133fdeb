"""The row of a list entry."""

from datetime import datetime

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from ledger import audit
from ledger.sentences import Sentence
from risk.errors import InvalidListEntry
from risk.features import text
from risk.models import ListEntry, ListImport, ProposedEntry
from risk.services.propose_entry import propose_entry
from risk.states import BY_TWO, EntityKind, ListKind


def put_entry(
    *,
    kind: str,
    entity: str,
    entity_key: str,
    reason: str,
    actor: str,
    label: str,
    source: str,
    expires_at: datetime | None,
    confirmed_by: str = "",
) -> str:
    """This will store and audit an entry about an entity's key, and return its "lst_…".

    An entry of the fatal or the white list waits for a second person instead, and its "lch_…" is returned, unless
    `confirmed_by` names them. Operation: needs an open transaction; waits for a file that is just being taken. Raises
    `InvalidListEntry`.
    """
    assert connection.in_atomic_block, "put_entry() is an operation"
    _check(kind, entity, reason, expires_at)
    if not confirmed_by:  # else the journal already knows who does this, and why they confirm it
        audit.attribute(actor=actor, reason=reason)
    ListImport.objects.one_at_a_time()
    said = {"label": text(label, 80), "reason": text(reason, 300), "source": text(source, 80)}
    about = {"kind": kind, "entity": entity, "entity_key": entity_key}
    if kind in BY_TWO and not confirmed_by:
        return propose_entry(
            proposed=ProposedEntry(**about, **said, expires_at=expires_at),
            actor=actor,
        )
    try:
        with transaction.atomic():
            entry = ListEntry.objects.create(
                **about, **said, created_by=actor, confirmed_by=confirmed_by, expires_at=expires_at
            )
    except IntegrityError as problem:
        raise InvalidListEntry(Sentence("It is on this list already."), param="value") from problem
    after = about | ({"proposed_by": actor} if confirmed_by else {})
    audit.record(action="listentry.add", object_id=entry.public_id, after=after)
    return entry.public_id


def _check(kind: str, entity: str, reason: str, expires_at: datetime | None) -> None:
    if kind not in list(ListKind):
        raise InvalidListEntry(Sentence("A list is one of %(lists)s.", lists=tuple(ListKind)), param="kind")
    if entity not in list(EntityKind):
        raise InvalidListEntry(
            Sentence("An entity is one of %(entities)s.", entities=tuple(EntityKind)), param="entity"
        )
    if not text(reason).strip():
        raise InvalidListEntry(
            Sentence("Say why: the reason is shown wherever the entry decides."), param="reason"
        )
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidListEntry(Sentence("The end is in the past."), param="expires_at")
