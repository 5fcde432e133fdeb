"""Keep who took the lists as a file."""

from django.db import transaction

from ledger import audit


def note_list_export(*, actor: str) -> None:
    """This will note in the audit journal that the lists were taken as a file. Use case."""
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason="list export")
        audit.record(action="listentry.export", object_id="risk-lists")
