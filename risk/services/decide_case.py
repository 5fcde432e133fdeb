"""A person's decision on a case."""

from django.db import connection
from django.utils import timezone

from ledger import audit
from risk.errors import CaseAlreadyDecided, CaseClaimedByAnother, CaseExpired, CaseNotFound
from risk.models import RiskCase
from risk.selectors import CaseView, case_key, case_view
from risk.services.note_outcome import note_outcome
from risk.states import CaseState, OutcomeKind


def decide_case(*, case: str, approve: bool, actor: str, reason: str) -> CaseView:
    """This will close a case as approved or rejected; the caller moves what waits for it, in the same transaction.

    Operation: needs an open transaction; locks the case (after the payment). An unclaimed case is decided by whoever
    comes first. Raises `CaseNotFound`, `CaseAlreadyDecided`, `CaseClaimedByAnother`, `CaseExpired`.
    """
    assert connection.in_atomic_block, "decide_case() belongs to the transaction that moves the payment"
    row = RiskCase.objects.locked().filter(pk=case_key(case)).first()
    if row is None:
        raise CaseNotFound("There is no such case.", param="case")
    now = timezone.now()
    if row.state in (CaseState.APPROVED, CaseState.REJECTED):
        raise CaseAlreadyDecided(
            f"{row.closed_by} decided this case before: {row.state}.", decided_by=row.closed_by
        )
    if row.state == CaseState.EXPIRED or row.decide_by <= now:
        raise CaseExpired("Nobody decided in time, so the payment is given up. The customer may pay again.")
    if row.assignee and row.assignee != actor:
        raise CaseClaimedByAnother(
            f"{row.assignee} took this case; take the next one.", assignee=row.assignee
        )
    audit.attribute(actor=actor, reason=reason)
    if approve:
        row.approve(actor=actor, reason=reason, at=now)
    else:
        row.reject(actor=actor, reason=reason, at=now)
    row.save(update_fields=["state", "closed_by", "reason", "closed_at"])
    note_outcome(
        subject=row.subject, fraud=not approve, kind=OutcomeKind.REVIEW, source=row.public_id, known_at=now
    )
    return case_view(row)
