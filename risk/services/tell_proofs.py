"""Tell the histories how challenges ended."""

from datetime import datetime

from ledger.identifiers import first_key_of
from risk import histories, observations, selectors
from risk.models import Proof


def tell_proofs(*, since: datetime, generation: str, subject: str = "") -> int:
    """This will tell a generation every proof from `since` on, or those about `subject`, and return how many were new.

    Memory stays flat.
    """
    rows = Proof.objects.filter(pk__gte=first_key_of(since)).select_related("decision").order_by("pk")
    if subject:
        rows = rows.filter(subject=subject)
    told = 0
    for row in rows.iterator(1000):
        rates = selectors.policy_document(row.decision.policy_id).rates
        judged = observations.observation(row.decision_id, row.decision.inputs, rates)
        if judged is not None:
            told += histories.tell_proof(row.pk, judged, passed=row.passed, generation=generation)
    return told
