from django.db import transaction

from ledger import audit
from ledger.sentences import Sentence
from risk.errors import PolicyNotSwitchable, RollOutRunning
from risk.models import Policy, RollOut
from risk.selectors import policy_named
from risk.states import PolicyState


def retire_policy(*, policy: str, actor: str, reason: str) -> None:
    """This will end the judging along of `policy` ("name@version"); its answers are kept.

    Use case; locks the policy. Raises `PolicyNotFound`, `RollOutRunning`, and `PolicyNotSwitchable` unless it judges
    along: something must decide.
    """
    found = policy_named(policy)
    with transaction.atomic(durable=True):
        row = Policy.objects.locked().get(pk=found.pk)
        if row.state != PolicyState.SHADOW:
            raise PolicyNotSwitchable(
                Sentence("%(policy)s does not judge along.", policy=policy), param="policy"
            )
        if RollOut.objects.running().filter(policy=row).exists():
            raise RollOutRunning(
                Sentence("%(policy)s decides for a share; end its roll-out first.", policy=policy),
                param="policy",
            )
        audit.attribute(actor=actor, reason=reason)
        row.retire()
        row.store()
