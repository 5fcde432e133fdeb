"""A case that holds no money."""

from datetime import datetime, timedelta

from django.db import connection

from risk.models import Decision, RiskCase
from risk.states import CaseKind

_TIME = timedelta(hours=24)


def open_look(*, decision: Decision, kind: CaseKind, expected_loss: int, at: datetime) -> None:
    """This will put a decision into the queue for a person to look at; its payment goes on.

    Operation: needs an open transaction; one statement. A look of this kind that is open on the payment stays alone.
    """
    assert connection.in_atomic_block, "open_look() belongs to the transaction of the decision"
    look = RiskCase(
        decision=decision,
        subject=decision.subject,
        kind=kind,
        opened_at=at,
        decide_by=at + _TIME,
        expected_loss=expected_loss,
    )
    RiskCase.objects.bulk_create([look], ignore_conflicts=True)
