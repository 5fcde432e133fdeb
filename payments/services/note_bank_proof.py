"""What a card's bank says of who paid."""

from django.db import connection
from django.utils import timezone

from payments.channels.contract import ActionKind, Answer, Outcome
from payments.models import Attempt
from risk.services.note_proof import note_proof
from risk.states import ChallengeKind

_MONEY = frozenset({Outcome.SUCCEEDED, Outcome.AUTHORIZED})
_NOT_PROVED = frozenset({"payment_intent_authentication_failure"})


def note_bank_proof(*, attempt: Attempt, answer: Answer, payment: str) -> bool:
    """This will tell risk how a 3-D Secure challenge of `payment` (pay_…) ended, once it did.

    Operation: needs an open transaction; `attempt` has noted the `answer`. A bank that waved the card through without
    asking anybody has proved nothing. True when risk had not heard it.
    """
    assert connection.in_atomic_block, "note_bank_proof() belongs to the transaction of the news"
    result = attempt.three_d_secure.get("result", "authenticated")  # notices leave out what was proved
    asked = attempt.action_kind == ActionKind.THREE_D_SECURE
    passed = asked and answer.outcome in _MONEY and result == "authenticated"
    failed = (asked and result == "failed") or answer.code in _NOT_PROVED
    if not passed and not failed:
        return False
    return note_proof(
        subject=payment,
        kind=ChallengeKind.THREE_D_SECURE,
        passed=passed,
        source=attempt.public_id,
        known_at=timezone.now(),
    )
