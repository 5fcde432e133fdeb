"""Tell the histories what became of payments."""

from datetime import datetime

from django.db.models import OuterRef, Subquery

from ledger.identifiers import first_key_of
from risk import histories, observations, selectors
from risk.models import Outcome


def tell_outcomes(*, since: datetime, generation: str, subject: str = "") -> int:
    """This will tell a generation every verdict from `since` on, or those on `subject`, and return how many were new.

    A payment is one fraud however many say so, and none once the last of them takes it back. Memory stays flat.
    """
    rows = Outcome.objects.filter(pk__gte=first_key_of(since)).select_related("decision")
    if subject:
        rows = rows.filter(subject=subject)
    before = Outcome.objects.filter(subject=OuterRef("subject"), pk__lt=OuterRef("pk")).order_by("-pk")
    told = 0
    for row in rows.annotate(before=Subquery(before.values("fraud")[:1])).order_by("pk").iterator(1000):
        if row.fraud == bool(row.before):
            continue
        rates = selectors.policy_document(row.decision.policy_id).rates
        judged = observations.observation(row.decision_id, row.decision.inputs, rates)
        if judged is not None:
            told += histories.tell_outcome(row.pk, judged, undo=not row.fraud, generation=generation)
    return told
