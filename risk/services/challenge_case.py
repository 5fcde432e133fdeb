"""A reviewer neither approves nor rejects, but has the customer asked."""

from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from ledger import audit
from risk.challenges import ChallengeView
from risk.errors import ChallengeKindUnavailable
from risk.models import RiskCase
from risk.services.decidable_case import decidable_case
from risk.services.open_challenge import open_challenge
from risk.states import CaseKind, ChallengeKind

# The customer may have gone away meanwhile, and comes back by the message.
LIFE = timedelta(minutes=30)


def challenge_case(
    *, case: str, kind: str, actor: str, reason: str, latest: datetime, senior: bool = False
) -> ChallengeView:
    """This will close a case as CHALLENGED and open a challenge by `kind`; the caller moves the payment alongside.

    Operation: needs an open transaction; locks the case (after the payment). Another way that proves as much may be
    used by the customer, too. It says nothing of fraud: how the customer answers does. Raises
    `ChallengeKindUnavailable` and what `decidable_case` raises.
    """
    assert connection.in_atomic_block, "challenge_case() belongs to the transaction that moves the payment"
    now = timezone.now()
    row = decidable_case(case=case, actor=actor, senior=senior, at=now)
    kinds = row.respondent.get("kinds", [])
    if row.kind != CaseKind.HOLD or kind not in kinds:
        raise ChallengeKindUnavailable("This customer can not be asked this way.", param="kind")
    audit.attribute(actor=actor, reason=reason)
    row.challenge(actor=actor, reason=reason, at=now)
    row.save(update_fields=["state", "closed_by", "reason", "closed_at"])
    return _opened(row, kind, kinds, latest)


def _opened(row: RiskCase, kind: str, kinds: list[str], latest: datetime) -> ChallengeView:
    # A captcha proves nobody, so it never stands in for what does.
    others = [other for other in kinds if other not in (kind, ChallengeKind.CAPTCHA)]
    return open_challenge(
        decision=row.decision.public_id,
        respondent={**row.respondent, "kinds": [kind, *others]},
        latest=latest,
        life=LIFE,
    )
