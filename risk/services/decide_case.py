"""A person's decision on a case."""

from datetime import datetime

from django.db import connection
from django.utils import timezone

from ledger import audit
from risk.models import RiskCase
from risk.selectors import CaseView, case_view, policy_document
from risk.services.decidable_case import decidable_case
from risk.services.note_outcome import note_outcome
from risk.services.open_look import open_look
from risk.services.spread_verdict import spread_verdict
from risk.stakes import drawn
from risk.states import CaseKind, OutcomeKind


def decide_case(*, case: str, approve: bool, actor: str, reason: str, senior: bool = False) -> CaseView:
    """This will close a case as approved or rejected; the caller moves what waits for it, in the same transaction.

    Operation: needs an open transaction; locks the case (after the payment). An unclaimed case is decided by whoever
    comes first; what was escalated wants a `senior` actor. The verdict counts from the next decision on. Raises
    `CaseNotFound`, `CaseAlreadyDecided`, `CaseClaimedByAnother`, `CaseExpired`, `CaseNeedsSenior`, `CaseIsOwn`.
    """
    assert connection.in_atomic_block, "decide_case() belongs to the transaction that moves the payment"
    now = timezone.now()
    row = decidable_case(case=case, actor=actor, senior=senior, at=now)
    audit.attribute(actor=actor, reason=reason)
    if approve:
        row.approve(actor=actor, reason=reason, at=now)
    else:
        row.reject(actor=actor, reason=reason, at=now)
    row.save(update_fields=["state", "closed_by", "reason", "closed_at"])
    if row.kind != CaseKind.SECOND:
        spread_verdict(decision=row.decision, fraud=not approve, at=now)
        note_outcome(
            subject=row.subject,
            fraud=not approve,
            kind=OutcomeKind.REVIEW,
            source=row.public_id,
            known_at=now,
        )
        _second_look(row, now)
    return case_view(row)


def _second_look(row: RiskCase, now: datetime) -> None:
    """Of a share of what people decide another person says again what they would have done."""
    share = policy_document(row.decision.policy_id).thresholds.second_look_per_mille
    if drawn(row.public_id, per_mille=share):
        open_look(decision=row.decision, kind=CaseKind.SECOND, expected_loss=0, at=now)
