"""A payment turned out to be a fraud, or not to be one."""

from datetime import datetime
from functools import partial

from django.db import connection, transaction

from risk.models import Decision, Outcome
from risk.services.pass_on_verdict import pass_on_verdict
from risk.services.spread_verdict import spread_verdict
from risk.states import OutcomeKind, Stage


def note_outcome(*, subject: str, fraud: bool, kind: OutcomeKind, source: str, known_at: datetime) -> bool:
    """This will keep what is heard of the payment `subject`; False when it was heard before or never judged.

    Operation: needs an open transaction; locks the customer's ties. `source` ("dsp_…") says each verdict once.
    """
    assert connection.in_atomic_block, "note_outcome() belongs to the transaction that heard of it"
    judged = Decision.objects.filter(subject=subject, stage=Stage.PAYMENT).order_by("-id").first()
    if judged is None or Outcome.objects.filter(source=source, fraud=fraud).exists():
        return False
    Outcome.objects.bulk_create(
        [
            Outcome(
                decision=judged,
                subject=subject,
                fraud=fraud,
                kind=kind,
                source=source,
                happened_at=judged.happened_at,
                # A provider's clock may be behind ours.
                known_at=max(known_at, judged.happened_at),
            )
        ],
        ignore_conflicts=True,
    )
    if kind != OutcomeKind.REVIEW:  # of its own verdict the case has told the graph
        spread_verdict(decision=judged, fraud=fraud, at=known_at)
    transaction.on_commit(partial(pass_on_verdict, subject=subject), robust=True)
    return True
