from typing import cast

import structlog
from django.db import connection, transaction

from payments.channels import registry
from payments.channels.contract import ChannelUnavailable, InstrumentVault
from payments.errors import ChannelNotFound
from payments.models import Attempt, SavedMethod

log = structlog.get_logger(__name__)


def forget_instrument(*, method: str) -> bool:
    """This will have the channel forget a card that was given up, and say whether it has.

    No transaction may be open; without a clear answer nothing changes, and the janitor asks again. A card whose
    call may have to be repeated is left until that is settled. Doing it twice is doing it once.
    """
    assert not connection.in_atomic_block, "no provider is called inside a transaction"
    given_up = SavedMethod.objects.to_forget(Attempt.objects.open()).by_public_id(method)
    row = given_up.first()
    if row is None:
        return False
    try:
        if row.token:
            cast(InstrumentVault, registry.channel(row.channel)).forget_instrument(row.token)
    except (ChannelUnavailable, ChannelNotFound) as error:
        log.warning("vault.not_forgotten", saved_method=row.public_id, why=str(error))
        return False
    with transaction.atomic(durable=True):
        row = SavedMethod.objects.locked().get(pk=row.pk)
        if row.forgotten_at is None:
            row.note_forgotten()
            row.store()
    return True
