"""Put on record that somebody took a report out of the house."""

from collections.abc import Mapping

from django.db import transaction

from ledger import audit


def note_export(*, report: str, asked: Mapping[str, str], actor: str) -> None:
    """This will put on record that `actor` exported `report`, and what was asked for. Owns its transaction."""
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor)
        audit.record(action="books.export", object_id=report, after=dict(asked))
