from django.db import transaction
from django.utils import timezone

from ledger.audit import attribute, record
from payments.errors import CustomerStillPaying
from payments.models import Attempt, CustomerVault, SavedMethod
from payments.services.finish_erasure import finish_erasure
from payments.services.forget_instrument import forget_instrument
from payments.states import SavedMethodState


def erase_customer(*, customer: str, actor: str, reason: str) -> bool:
    """This will erase what is kept of the customer, and say whether all of it is gone already.

    The cards pay nothing from now on; each channel is told to forget them; then the customer's salt is destroyed,
    without which nothing opens in any copy of the database. Where a channel gives no clear answer the janitor goes
    on. Payments and books stay as they are. Opens its own transactions. Raises `CustomerStillPaying`.
    """
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        vault = CustomerVault.objects.of(customer).locked().first()
        if vault is None:
            return True
        methods = list(SavedMethod.objects.filter(vault=vault).locked())
        if Attempt.objects.open().filter(saved_method__vault=vault).exists():
            raise CustomerStillPaying("A payment with one of the cards is not over; erase once it is.")
        for method in methods:
            if method.state != SavedMethodState.DELETED:
                method.give_up()
                method.store()
        if vault.erase_asked_at is None:
            vault.erase_asked_at = timezone.now()
            vault.store()
            record(action="vault.erase_asked", object_id=vault.public_id)
    for method in methods:
        forget_instrument(method=method.public_id)
    return finish_erasure(vault=vault.public_id)
