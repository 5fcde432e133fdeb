"""Keep a customer's passkey."""

from django.db import IntegrityError, transaction

from ledger import audit
from risk import passkeys
from risk.errors import PasskeyRefused
from risk.models import Passkey
from risk.models.lists import key_of
from risk.states import EntityKind


def register_passkey(*, customer: str, nonce: str, answer: str, label: str, actor: str) -> str:
    """This will keep the passkey that the browser made for `customer` when it was asked under `nonce`; returns psk_….

    Use case. Raises `PasskeyRefused` for what can not be checked, and for one that somebody has registered before.
    """
    try:
        made = passkeys.read_new(customer, nonce=nonce, answer=answer)
        with transaction.atomic(durable=True):
            audit.attribute(actor=actor, reason="passkey")
            row = Passkey.objects.create(
                customer_key=key_of(EntityKind.CUSTOMER, customer),
                credential=made.credential,
                public_key=made.public_key,
                sign_count=made.sign_count,
                label=label[:80],
            )
            audit.record(action="passkey.registered", object_id=row.public_id)
    except (*passkeys.UNREADABLE, IntegrityError) as problem:
        raise PasskeyRefused("The passkey could not be checked. Nothing was changed; try again.") from problem
    return row.public_id
