from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from ledger.audit import attribute, record
from reconciliation.errors import ReasonMissing, SnoozeInvalid
from reconciliation.models import StuckNote
from reconciliation.selectors import stuck_item

_LONGEST = timedelta(days=14)


def snooze_stuck(*, kind: str, subject: str, until: datetime, actor: str, reason: str) -> None:
    """This will mark a stuck item as seen until then: no alarm tells of it, and it still counts.

    Owns its transaction; locks the item's note. Raises `NothingStuck`, `ReasonMissing`, `SnoozeInvalid`.
    """
    if not reason.strip():
        raise ReasonMissing("Say why it can wait: the reason is kept in the audit journal.", param="reason")
    if not timezone.now() < until <= timezone.now() + _LONGEST:
        raise SnoozeInvalid("Choose a time within the next 14 days.", param="until")
    item = stuck_item(kind, subject)
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        note = StuckNote.objects.of(item.kind, item.subject)
        before = note.snoozed_until
        note.snooze(until=until, actor=actor, reason=reason.strip())
        told = {"kind": kind, "until": until.isoformat()}
        record(action="stuck.snoozed", object_id=item.subject, before={"until": before}, after=told)
