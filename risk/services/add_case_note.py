"""Write something down about a case."""

from django.db import transaction

from ledger import audit
from risk.errors import CaseNotFound, InvalidCaseNote
from risk.features import text
from risk.models import CaseNote, RiskCase
from risk.selectors import case_key


def add_case_note(*, case: str, actor: str, note: str) -> None:
    """This will keep a remark about a case, open or closed, for whoever opens it next.

    Use case; locks nothing. Raises `CaseNotFound`, `InvalidCaseNote`.
    """
    words = text(" ".join(note.split()), 1000)
    if not words:
        raise InvalidCaseNote("The note says nothing.", param="note")
    with transaction.atomic(durable=True):
        row = RiskCase.objects.filter(pk=case_key(case)).first()
        if row is None:
            raise CaseNotFound("There is no such case.", param="case")
        audit.attribute(actor=actor, reason="note")
        written = CaseNote.objects.create(case=row, author=actor, text=words)
        # What it says may name a person, so the journal keeps only that and where it was written.
        audit.record(action="riskcase.note", object_id=row.public_id, after={"note": str(written.pk)})
