from django.db import transaction
from django.utils import timezone

from ledger import audit
from ledger.sentences import Sentence
from risk.errors import ReasonMissing, RollOutNotRunning
from risk.models import RollOut


def end_roll_out(*, actor: str, reason: str) -> str:
    """This will have the active policy decide for everybody again, and return the roll-out's id.

    Use case; locks the roll-out. Raises `ReasonMissing`, `RollOutNotRunning`.
    """
    if not reason.strip():
        raise ReasonMissing(Sentence("Say why: the reason is kept in the audit journal."), param="reason")
    with transaction.atomic(durable=True):
        row = RollOut.objects.running().locked().first()
        if row is None:
            raise RollOutNotRunning(Sentence("No policy decides for a share."), param="policy")
        audit.attribute(actor=actor, reason=reason)
        row.finish(actor=actor, reason=reason, at=timezone.now())
        row.store()
    return row.public_id
