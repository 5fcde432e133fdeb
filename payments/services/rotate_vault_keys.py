from uuid import UUID

from django.db import transaction

from ledger.audit import attribute, record
from payments.models import CustomerVault, SavedMethod
from payments.models.envelope import current_version

BATCH = 100


def rotate_vault_keys(*, actor: str, batch: int = BATCH) -> int:
    """This will seal the next `batch` vaults under the first of `VAULT_KEYS`, and return how many it sealed.

    A transaction a vault, under its lock: killed half-way, each vault is under the one key or the other, whole; the
    next run goes on. Running twice at once does no harm. Raises `DoesNotOpen` for what no known key opens.
    """
    current = current_version()
    due = CustomerVault.objects.under_old_keys(current).order_by("pk").values_list("pk", flat=True)[:batch]
    return sum(_seal_again(pk, current, actor) for pk in list(due))


def _seal_again(pk: UUID, current: str, actor: str) -> int:
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason="key rotation")
        vault = CustomerVault.objects.under_old_keys(current).filter(pk=pk).locked().first()
        if vault is None:
            return 0
        methods = list(SavedMethod.objects.filter(vault=vault).exclude(sealed="").locked())
        for method in methods:
            method.vault = vault
        secrets = [method.opened() for method in methods]
        before = vault.key_version
        vault.take_key(current)
        for method, secret in zip(methods, secrets, strict=True):
            method.keep_sealed(secret)
            method.store()
        vault.store()
        record(
            action="vault.key_rotated",
            object_id=vault.public_id,
            before={"key": before},
            after={"key": current},
        )
        return 1
