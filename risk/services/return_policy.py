from django.db import transaction
from django.db.models import Q

from ledger import audit
from ledger.sentences import Sentence
from risk.errors import PolicyNotSwitchable, ReasonMissing
from risk.models import Policy
from risk.selectors import policy_before
from risk.services.switch_policy import switch_policy
from risk.states import PolicyState


def return_policy(*, actor: str, reason: str) -> str:
    """This will have the policy before decide again, and return its name ("name@version").

    Use case; locks both policies. One person suffices: two have seen that policy before. Returning again goes one
    further back. Raises `ReasonMissing`, and `PolicyNotSwitchable` where there is none before.
    """
    if not reason.strip():
        raise ReasonMissing(Sentence("Say why: the reason is kept in the audit journal."), param="reason")
    with transaction.atomic(durable=True):
        Policy.objects.lock_switching()
        before = policy_before()
        if before is None:
            raise PolicyNotSwitchable(Sentence("There is no policy before this one."), param="policy")
        rows = list(Policy.objects.locked().filter(Q(pk=before.pk) | Q(state=PolicyState.ACTIVE)))
        chosen = next(row for row in rows if row.pk == before.pk)
        active = next(row for row in rows if row.state == PolicyState.ACTIVE)
        audit.attribute(actor=actor, reason=reason)
        switch_policy(chosen=chosen, active=active, actor=actor, reason=reason, returned=True)
    return str(chosen)
