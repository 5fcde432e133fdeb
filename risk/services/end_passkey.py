"""Give up a customer's passkey."""

from django.db import transaction
from django.utils import timezone

from ledger import audit
from ledger.identifiers import MalformedIdentifier, decode
from risk.models import Passkey
from risk.models.lists import key_of
from risk.states import EntityKind


def end_passkey(*, customer: str, passkey: str, actor: str) -> bool:
    """This will end one of the customer's passkeys: it confirms nothing any more. False when there is none such.

    Use case; one conditional update.
    """
    try:
        key = decode("psk", passkey)
    except MalformedIdentifier:
        return False
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason="passkey")
        theirs = Passkey.objects.filter(
            pk=key, customer_key=key_of(EntityKind.CUSTOMER, customer), ended_at=None
        )
        ended = theirs.update(ended_at=timezone.now()) == 1
        if ended:
            audit.record(action="passkey.ended", object_id=passkey)
    return ended
