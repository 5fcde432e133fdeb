"""Close a challenge that nobody will answer any more."""

from django.db import connection
from django.utils import timezone

from risk import challenges
from risk.models import Challenge
from risk.states import ChallengeState


def end_challenge(*, challenge: str, reason: str) -> None:
    """This will close an open challenge as ENDED; one that is closed stays as it is.

    Operation: needs an open transaction; locks the challenge (after the payment).
    """
    assert connection.in_atomic_block, "end_challenge() belongs to the transaction that gives the payment up"
    row = Challenge.objects.locked().get(pk=challenges.find(challenge).pk)
    if row.state == ChallengeState.OPEN:
        row.end(reason, timezone.now())
        row.store()
