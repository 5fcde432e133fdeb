"""Kept cards in the tables, for tests that need no provider."""

from django.db import transaction
from django.utils import timezone

from payments.models import CustomerVault, SavedMethod
from tests.payments import desk

MEI = "cus_1"


def kept(customer: str, *, fingerprint: str = "fp_1") -> SavedMethod:
    with transaction.atomic():
        owner = CustomerVault.objects.of(customer).first() or CustomerVault(customer=customer)
        if owner._state.adding:
            owner.name_at("stripe", f"theirs_{customer}")
            owner.save(force_insert=True)
        method = SavedMethod(
            vault=owner, channel="stripe", consent_version="1", consented_at=timezone.now(), brand="visa"
        )
        method.keep_sealed({"token": f"pm_{customer}", "fingerprint": fingerprint})
        method.keep()
        method.save(force_insert=True)
        return method


def broken_vaults() -> list[str]:
    """Which invariants of kept cards do not hold."""
    return [check for check, _ in desk.broken() if "vault" in check or "kept" in check]
