"""The rows of a file that is taken."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from ledger import audit
from risk import bringing
from risk.bringing import Compared
from risk.features import text
from risk.models import ListImport


def write_import(
    *, found: Sequence[Compared], digest: str, name: str, actor: str, now: datetime, second: str = ""
) -> ListImport:
    """This will write what is staged, and one entry in the audit journal with the file's hash.

    Operation: needs an open transaction in which nobody else adds entries. `second` is who confirmed it.
    """
    assert connection.in_atomic_block, "write_import() is an operation"
    row = ListImport.objects.create(
        digest=digest,
        name=text(name, 200),
        added=sum(one.added for one in found),
        renewed=sum(one.renewed for one in found),
        unchanged=sum(one.unchanged for one in found),
        imported_by=actor,
        imported_at=now,
    )
    bringing.write(by=row.pk, actor=actor, now=now, second=second)
    after = {
        "digest": digest,
        "lists": {one.kind: [one.added, one.renewed, one.unchanged] for one in found},
    }
    if second:
        after |= {"proposed_by": actor}
    audit.record(action="listentry.import", object_id=row.public_id, after=after)
    return row
