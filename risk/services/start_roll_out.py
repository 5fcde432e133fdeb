from django.db import IntegrityError, transaction

from ledger import audit
from ledger.sentences import Sentence
from risk.errors import (
    InvalidRollOut,
    PolicyNotSwitchable,
    ReasonMissing,
    RollOutRunning,
    SecondPersonNeeded,
)
from risk.models import Policy, RollOut
from risk.selectors import parse_policy, policy_named
from risk.services.require_expectations import require_expectations
from risk.states import PolicyState


def start_roll_out(*, policy: str, share: int, budget: int, actor: str, reason: str, waived: str = "") -> str:
    """This will have `policy` ("name@version") decide for a share of the customers, and return the roll-out's id.

    `share` in hundredths of a per cent; `budget` is how many false positives end it. The policy judges along for the
    others. `waived` says why it may although it does not do all that is expected of it. Use case; locks the policy.
    Raises `PolicyNotFound`, `ReasonMissing`, `InvalidRollOut`, `SecondPersonNeeded`, `PolicyNotSwitchable`,
    `ExpectationsNotMet`, `RollOutRunning`, `InvalidRule`, `InvalidPolicy`.
    """
    if not reason.strip():
        raise ReasonMissing(Sentence("Say why: the reason is kept in the audit journal."), param="reason")
    if not 1 <= share <= 10_000:
        raise InvalidRollOut(Sentence("The share is more than 0 and at most 100 per cent."), param="share")
    if not 1 <= budget <= 10**6:
        raise InvalidRollOut(
            Sentence("At least one false positive, or it would never begin."), param="budget"
        )
    found = policy_named(policy)
    try:
        with transaction.atomic(durable=True):
            Policy.objects.lock_switching()
            row = Policy.objects.locked().get(pk=found.pk)
            if row.created_by == actor:
                raise SecondPersonNeeded(
                    Sentence("You drafted this policy yourself: a second person has to start it.")
                )
            if row.state == PolicyState.ACTIVE:
                raise PolicyNotSwitchable(
                    Sentence("%(policy)s decides for everybody already.", policy=policy), param="policy"
                )
            parse_policy(row)
            audit.attribute(actor=actor, reason=reason)
            kept = require_expectations(policy=row, waived=waived)
            if row.state != PolicyState.SHADOW:
                row.shadow()
                row.store()
            made = RollOut.objects.create(
                policy=row, share=share, budget=budget, started_by=actor, waived=kept
            )
    except IntegrityError as twice:
        raise RollOutRunning(
            Sentence("Another policy decides for a share; end that first."), param="policy"
        ) from twice
    return made.public_id
