"""Note what became of a code."""

from django.db import connection

from risk.messengers.contract import Fate
from risk.models import ChallengeCode
from risk.states import CodeState


def apply_code_fate(*, code: ChallengeCode, fate: Fate) -> None:
    """This will apply what the messenger said of a code; what is settled stays as it is.

    An operation: needs an open transaction; locks the code.
    """
    assert connection.in_atomic_block, "apply_code_fate() is an operation"
    row = ChallengeCode.objects.locked().get(pk=code.pk)
    if row.state not in (CodeState.SENT, CodeState.UNKNOWN):
        return
    if fate == Fate.TAKEN:
        row.take()
    elif fate == Fate.REFUSED:
        row.refuse()
    else:
        row.lose_sight()
    row.store()
