"""Do not agree to a change of the lists, or take one back."""

from django.db import transaction
from django.utils import timezone

from ledger import audit
from ledger.sentences import Sentence
from risk.errors import ListChangeNotFound, ListChangeNotWaiting, ReasonMissing
from risk.models import ListChange
from risk.states import ListChangeState


def reject_list_change(*, change: str, actor: str, reason: str) -> None:
    """This will end what waits; no list has changed, and none does. Whoever proposed it may take it back so.

    Use case; locks the change. Raises `ListChangeNotFound`, `ListChangeNotWaiting`, `ReasonMissing`.
    """
    if not reason.strip():
        raise ReasonMissing(Sentence("Say why: the reason is kept with the change."), param="reason")
    with transaction.atomic(durable=True):
        row = ListChange.objects.named(change).locked().first()
        if row is None:
            raise ListChangeNotFound(Sentence("There is no such change of the lists."), param="change")
        if row.state != ListChangeState.WAITING:
            raise ListChangeNotWaiting(Sentence("Somebody decided meanwhile."))
        audit.attribute(actor=actor, reason=reason)
        row.reject(actor=actor, reason=reason.strip(), at=timezone.now())
        row.store()
