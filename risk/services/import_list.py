"""Take a file of list entries."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from ledger import audit
from ledger.sentences import Sentence
from risk import bringing
from risk.bringing import Compared
from risk.errors import ListFileRefused
from risk.features import entity_key, text
from risk.listings import parse
from risk.models import ListChange, ListImport
from risk.models.lists import entity_secret
from risk.services.write_import import write_import
from risk.states import BY_TWO, ListChangeKind

_SOURCE = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What the file did, or with `dry_run` would do. `before` is when the same file was taken earlier."""

    id: str  # "lim_…"; empty where nothing was written
    digest: str
    lists: tuple[Compared, ...]
    before: datetime | None = None
    waits: bool = False  # for a second person: nothing decides yet, and `id` is the "lch_…" of what waits

    @property
    def added(self) -> int:
        return sum(one.added for one in self.lists)

    @property
    def renewed(self) -> int:
        return sum(one.renewed for one in self.lists)

    @property
    def unchanged(self) -> int:
        return sum(one.unchanged for one in self.lists)


def import_list(
    *, content: bytes, name: str, actor: str, dry_run: bool = False, checked: str = ""
) -> Imported:
    """This will put every entry of a CSV file on its list from the next decision on, or none of them.

    A file that changes the fatal or the white list waits, whole, for a second person.

    Use case; one import at a time, a few statements for any number of entries, one entry in the audit journal with
    the file's hash. What is on the list with other words or another end is ended and added anew. The same file does
    nothing the second time. With `checked`, only the file of that digest is taken. Raises `ListFileRefused`, whose
    context names lines and columns.
    """
    digest = hashlib.sha256(content).hexdigest()
    if checked and checked != digest:
        raise ListFileRefused(
            Sentence("This is another file than the one that was checked: check it again."), param="file"
        )
    earlier = ListImport.objects.filter(digest=digest).first()
    if earlier:
        return Imported(id=earlier.public_id, digest=digest, lists=(), before=earlier.imported_at)
    now, secret = timezone.now(), entity_secret()
    rows = parse(
        content,
        now=now,
        key_of=lambda entity, value: entity_key(entity, value, secret=secret),
        source=_SOURCE,
    )
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=f"list import {digest[:12]}")
        ListImport.objects.one_at_a_time()
        bringing.stage(rows)
        found = bringing.compare()
        if dry_run:
            return Imported(id="", digest=digest, lists=tuple(found), waits=_takes_two(found))
        if ListImport.objects.filter(digest=digest).exists():  # by somebody else, just now
            return Imported(id="", digest=digest, lists=(), before=now)
        if _takes_two(found):
            return _propose(found, digest=digest, name=name, actor=actor)
        taken = write_import(found=found, digest=digest, name=name, actor=actor, now=now)
        return Imported(id=taken.public_id, digest=digest, lists=tuple(found))


def _propose(found: Sequence[Compared], *, digest: str, name: str, actor: str) -> Imported:
    """The whole file waits, also what one person could add alone: what was checked together stays together."""
    if ListChange.objects.waiting().filter(digest=digest).exists():
        raise ListFileRefused(Sentence("This very file waits for a second person already."), param="file")
    change = ListChange.objects.create(
        kind=ListChangeKind.FILE.value,
        reason=text(f"The file {name}", 300),
        name=text(name, 200),
        digest=digest,
        proposed_by=actor,
    )
    bringing.propose(change.pk)
    after = {
        "digest": digest,
        "lists": {one.kind: [one.added, one.renewed, one.unchanged] for one in found},
    }
    audit.record(action="listchange.propose", object_id=change.public_id, after=after)
    return Imported(id=change.public_id, digest=digest, lists=tuple(found), waits=True)


def _takes_two(found: Sequence[Compared]) -> bool:
    return any(one.kind in BY_TWO and one.added + one.renewed for one in found)
