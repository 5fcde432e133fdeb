"""Let another policy decide."""

from django.db import transaction
from django.db.models import Q

from ledger import audit
from ledger.sentences import Sentence
from risk.errors import PolicyNotFound, ReasonMissing, SecondPersonNeeded
from risk.models import Policy
from risk.selectors import parse_policy
from risk.services.require_expectations import require_expectations
from risk.services.switch_policy import switch_policy
from risk.states import PolicyState


def activate_policy(*, policy: str, actor: str, reason: str, waived: str = "") -> str:
    """This will make `policy` ("name@version") decide from the next question on, and return the one that it replaces.

    Use case; locks both policies and a roll-out, which ends. A retired policy may return the same way. Activating the
    active one changes nothing. `waived` says why it may decide although it does not do all that is expected of it.
    Raises `PolicyNotFound`, `ReasonMissing`, `SecondPersonNeeded` for whoever drafted it, `ExpectationsNotMet`,
    `InvalidRule`, `InvalidPolicy`.
    """
    with transaction.atomic(durable=True):
        Policy.objects.lock_switching()
        rows = list(Policy.objects.locked().filter(_either(policy)))
        chosen = next((row for row in rows if str(row) == policy), None)
        active = next((row for row in rows if row.state == PolicyState.ACTIVE), None)
        if chosen is None:
            raise PolicyNotFound(
                Sentence("There is no policy %(policy)s.", policy=policy[:60]), param="policy"
            )
        if chosen is active:
            return policy
        if not reason.strip():
            raise ReasonMissing(Sentence("Say why: the reason is kept in the audit journal."), param="reason")
        if chosen.created_by == actor:
            raise SecondPersonNeeded(
                Sentence("You drafted this policy yourself: a second person has to switch it on.")
            )
        parse_policy(chosen)  # a draft may have been written by hand
        audit.attribute(actor=actor, reason=reason)
        kept = require_expectations(policy=chosen, waived=waived)
        switch_policy(chosen=chosen, active=active, actor=actor, reason=reason, waived=kept)
    return str(active or "")


def _either(policy: str) -> Q:
    return Q(pk__in=Policy.objects.named(policy).values("pk")) | Q(state=PolicyState.ACTIVE)
