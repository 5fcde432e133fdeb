from collections.abc import Mapping as Words
from typing import Any

from django.db import transaction
from django.utils import timezone

from ledger import audit
from reconciliation.mappings import mapping_of
from reconciliation.models import BankMapping


def save_bank_mapping(*, told: Words[str, Any], actor: str) -> BankMapping:
    """This will keep how the files of a bank account of ours are read; a name that is known is changed.

    Owns its transaction. Raises `MappingInvalid`.
    """
    row = mapping_of(told)
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor)
        row.saved_by, row.saved_at = actor, timezone.now()
        names = [one.name for one in BankMapping._meta.fields if one.name not in ("id", "name")]
        BankMapping.objects.bulk_create(
            [row], update_conflicts=True, unique_fields=["name"], update_fields=names
        )
        saved = BankMapping.objects.get(name=row.name)
        audit.record(action="bank_mapping.saved", object_id=f"bank:{row.name}", after=dict(told))
        return saved
