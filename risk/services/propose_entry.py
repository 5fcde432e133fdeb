"""Keep an entry until a second person confirms it."""

from django.db import connection

from ledger import audit
from ledger.sentences import Sentence
from risk.errors import InvalidListEntry
from risk.models import ListChange, ListEntry, ProposedEntry
from risk.states import ListChangeKind, ListChangeState


def propose_entry(*, proposed: ProposedEntry, actor: str) -> str:
    """This will store the entry where decisions do not see it, and return the "lch_…" of the change.

    Operation: needs an open transaction in which nobody else adds entries. Raises `InvalidListEntry` for what is on
    the list, or waits to be.
    """
    assert connection.in_atomic_block, "propose_entry() is an operation"
    whom = {"entity_key": proposed.entity_key, "kind": proposed.kind}
    if ListEntry.objects.filter(**whom, ended_at=None).exists():
        raise InvalidListEntry(Sentence("It is on this list already."), param="value")
    if ProposedEntry.objects.filter(**whom, change__state=ListChangeState.WAITING.value).exists():
        raise InvalidListEntry(
            Sentence("That it comes on this list waits for a second person already."),
            param="value",
        )
    change = ListChange.objects.create(
        kind=ListChangeKind.ADD.value, reason=proposed.reason, proposed_by=actor
    )
    proposed.change = change
    proposed.save(force_insert=True)
    after = {**whom, "entity": proposed.entity}
    audit.record(action="listchange.propose", object_id=change.public_id, after=after)
    return change.public_id
