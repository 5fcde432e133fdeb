import structlog
from django.db import transaction

from ledger import audit
from ledger.identifiers import MalformedIdentifier
from payments.errors import NotDead, NoticeNotFound
from payments.models import InboxEvent
from payments.services.apply_notice import apply_notice
from payments.states import InboxState

log = structlog.get_logger(__name__)


def replay_inbox_event(*, event: str, actor: str, reason: str) -> InboxState:
    """This will apply a dead notification (inb_…) again, by the same rules as the first time, and say what it is now.

    Its signature was verified when it arrived. Raises `NoticeNotFound`, `NotDead`. Two transactions: it is revived
    under its lock, then applied; what goes wrong then is tried again by the inbox.
    """
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        try:
            row = InboxEvent.objects.locked().by_public_id(event).get()
        except (MalformedIdentifier, InboxEvent.DoesNotExist) as error:
            raise NoticeNotFound("There is no such notification. It may have been forgotten.") from error
        if row.state != InboxState.DEAD:
            raise NotDead(f"This notification is {row.state}: there is nothing to replay.")
        row.revive()
        row.store()
    try:
        apply_notice(inbox=row)
    except Exception:
        log.exception("inbox.replay_failed", channel=row.channel, event_id=row.event_id)
    return InboxState(InboxEvent.objects.get(pk=row.pk).state)
