"""What a copy of the database tells of kept cards, and how master keys are exchanged."""

import base64
from typing import Any

import pytest
from django.core.management import call_command

from payments import vault
from payments.errors import SavedMethodNotFound
from payments.models import CustomerVault, SavedMethod
from payments.models.envelope import DoesNotOpen
from payments.services import rotate_vault_keys
from tests.payments.cards import MEI, broken_vaults, kept


def _key(letter: str) -> str:
    return base64.b64encode(letter.encode() * 32).decode()


def test_what_was_tampered_with_or_moved_does_not_open(db: None) -> None:
    mine, other, foreign = kept(MEI), kept(MEI, fingerprint="fp_2"), kept("cus_2")
    whole = mine.sealed
    bent = whole[:-6] + ("A" if whole[-6] != "A" else "B") + whole[-5:]
    for sealed in (bent, other.sealed, foreign.sealed, whole.replace("v1.test.", "v1.gone."), "v1", "x.y.z"):
        SavedMethod.objects.filter(pk=mine.pk).update(sealed=sealed)
        with pytest.raises(DoesNotOpen):
            _ = SavedMethod.objects.get(pk=mine.pk).token
        with pytest.raises(SavedMethodNotFound):
            vault.card_of(mine.public_id, MEI)
        assert "payments.vaults_open" in broken_vaults()
    SavedMethod.objects.filter(pk=mine.pk).update(sealed=whole, fingerprint=other.fingerprint, channel="x")
    assert "payments.vaults_open" in broken_vaults()


def test_rows_swapped_between_customers_do_not_open(db: None) -> None:
    mine, foreign = kept(MEI), kept("cus_2")
    SavedMethod.objects.filter(pk=mine.pk).update(vault=foreign.vault)
    with pytest.raises(SavedMethodNotFound):
        vault.card_of(mine.public_id, "cus_2")


def test_a_key_exchange_killed_half_way_goes_on(
    settings: Any, monkeypatch: Any, transactional_db: None
) -> None:
    tokens = {kept(f"cus_{n}").public_id: f"pm_cus_{n}" for n in range(5)}
    settings.VAULT_KEYS = {"new": _key("n"), **settings.VAULT_KEYS}
    calls = []

    def killed(row: CustomerVault, version: str) -> None:
        calls.append(row)
        if len(calls) == 3:
            raise KeyboardInterrupt
        _take_key(row, version)

    with monkeypatch.context() as patched:
        patched.setattr(CustomerVault, "take_key", killed)
        with pytest.raises(KeyboardInterrupt):
            rotate_vault_keys.rotate_vault_keys(actor="test")
    assert vault.left_under_old_keys("new") == 3
    assert {row.public_id: row.token for row in SavedMethod.objects.all()} == tokens
    call_command("rotate_vault_keys", "--batch", "2")
    settings.VAULT_KEYS = {"new": _key("n")}
    assert {row.public_id: row.token for row in SavedMethod.objects.all()} == tokens
    assert {row.named_at("stripe") for row in CustomerVault.objects.all()} == {
        f"theirs_cus_{n}" for n in range(5)
    }
    assert "payments.vaults_open" not in broken_vaults()


_take_key = CustomerVault.take_key


def test_a_key_that_was_dropped_too_early_is_noticed(settings: Any, db: None) -> None:
    kept(MEI)
    settings.VAULT_KEYS = {"new": _key("n")}
    assert "payments.vaults_open" in broken_vaults()
