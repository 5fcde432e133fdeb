from django.db import transaction

from ledger.audit import record
from ledger.identifiers import decode
from payments.models import CustomerVault, SavedMethod
from payments.states import SavedMethodState


def finish_erasure(*, vault: str) -> bool:
    """This will destroy the salt of a vault that is to be erased, once the channels have forgotten its cards.

    Owns its transaction; locks the vault, then its cards. Returns whether it is erased.
    """
    with transaction.atomic(durable=True):
        row = CustomerVault.objects.filter(pk=decode("vlt", vault)).locked().get()
        if row.erased_at:
            return True
        methods = list(SavedMethod.objects.filter(vault=row).locked())
        forgotten = all(m.state == SavedMethodState.DELETED and m.forgotten_at for m in methods)
        if row.erase_asked_at is None or not forgotten:
            return False
        for method in methods:
            method.wipe()
            method.store()
        row.erase()
        row.store()
        record(action="vault.erased", object_id=row.public_id)
        return True
