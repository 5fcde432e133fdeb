from django.db import transaction

from ledger.audit import attribute
from ledger.identifiers import MalformedIdentifier
from payments.errors import SavedMethodNotFound
from payments.models import SavedMethod
from payments.services.forget_instrument import forget_instrument


def delete_saved_method(*, method: str, customer: str, actor: str) -> None:
    """This will give up a kept card: it pays nothing from now on, and the channel is told to forget it.

    Opens its own transactions around the call. Without a clear answer the card is unusable here all the same, and
    the janitor asks again. Raises `SavedMethodNotFound`.
    """
    missing = SavedMethodNotFound(f"You keep no card {method[:40]!r}.")
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason="saved method deleted")
        try:
            row = SavedMethod.objects.of(customer).by_public_id(method).locked().first()
        except MalformedIdentifier as error:
            raise missing from error
        if row is None:
            raise missing
        row.give_up()
        row.store()
    forget_instrument(method=row.public_id)
