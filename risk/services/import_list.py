"""Take a file of list entries."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from ledger import audit
from risk import bringing
from risk.bringing import Compared
from risk.errors import ListFileRefused
from risk.features import entity_key, text
from risk.listings import parse
from risk.models import ListImport
from risk.models.lists import entity_secret

_SOURCE = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What the file did, or with `dry_run` would do. `before` is when the same file was taken earlier."""

    id: str  # "lim_…"; empty where nothing was written
    digest: str
    lists: tuple[Compared, ...]
    before: datetime | None = None

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

    Use case; one import at a time, a few statements for any number of entries, one entry in the audit journal with
    the file's hash. What is on the list with other words or another end is ended and added anew. The same file does
    nothing the second time. With `checked`, only the file of that digest is taken. Raises `ListFileRefused`, whose
    context names lines and columns.
    """
    digest = hashlib.sha256(content).hexdigest()
    if checked and checked != digest:
        raise ListFileRefused(
            "This is another file than the one that was checked: check it again.", param="file"
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
            return Imported(id="", digest=digest, lists=tuple(found))
        if ListImport.objects.filter(digest=digest).exists():  # by somebody else, just now
            return Imported(id="", digest=digest, lists=(), before=now)
        return _write(found, digest=digest, name=name, actor=actor, now=now)


def _write(found: Sequence[Compared], *, digest: str, name: str, actor: str, now: datetime) -> Imported:
    done = Imported(id="", digest=digest, lists=tuple(found))
    row = ListImport.objects.create(
        digest=digest,
        name=text(name, 200),
        added=done.added,
        renewed=done.renewed,
        unchanged=done.unchanged,
        imported_by=actor,
        imported_at=now,
    )
    bringing.write(by=row.pk, actor=actor, now=now)
    after = {
        "digest": digest,
        "lists": {one.kind: [one.added, one.renewed, one.unchanged] for one in found},
    }
    audit.record(action="listentry.import", object_id=row.public_id, after=after)
    return Imported(id=row.public_id, digest=digest, lists=tuple(found))
