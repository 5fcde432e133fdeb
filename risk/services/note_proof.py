"""A customer proved to be the one who may pay, or failed to."""

from datetime import datetime
from functools import partial

from django.db import connection, transaction

from risk.models import Decision, Proof
from risk.services.pass_on_verdict import pass_on_verdict
from risk.states import ChallengeKind, Stage


def note_proof(*, subject: str, kind: ChallengeKind, passed: bool, source: str, known_at: datetime) -> bool:
    """This will keep how a challenge about the payment `subject` ended; False when it was heard before or says nothing.

    Operation: needs an open transaction. `source` ("chl_…", "att_…") ends once. The histories hear of it after the
    commit: the next decision about this customer, card or device looks at it.
    """
    assert connection.in_atomic_block, "note_proof() belongs to the transaction that heard of it"
    if passed and kind == ChallengeKind.CAPTCHA:
        return False  # a machine's work proves nobody
    judged = Decision.objects.filter(subject=subject, stage=Stage.PAYMENT).order_by("-id").first()
    if judged is None or Proof.objects.filter(source=source).exists():
        return False
    proof = Proof(
        decision=judged,
        subject=subject,
        kind=kind,
        passed=passed,
        source=source,
        happened_at=judged.happened_at,
        # A provider's clock may be behind ours.
        known_at=max(known_at, judged.happened_at),
    )
    Proof.objects.bulk_create([proof], ignore_conflicts=True)
    transaction.on_commit(partial(pass_on_verdict, subject=subject), robust=True)
    return True
