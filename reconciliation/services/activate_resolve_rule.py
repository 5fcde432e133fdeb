from django.db import transaction
from django.db.models import Q
from django_fsm import can_proceed

from ledger.audit import attribute
from reconciliation.errors import ReasonMissing, ResolveRuleNotSwitchable, SecondPersonNeeded
from reconciliation.models import ResolveRule
from reconciliation.states import ResolveRuleState


def activate_resolve_rule(*, rule: str, actor: str, reason: str) -> str:
    """This will have the rule ("name@version") resolve from now on, and return the version that it replaces, or "".

    Opens its own transaction; locks both versions. A retired one may return the same way. Raises `ReasonMissing`,
    `ResolveRuleNotFound`, `ResolveRuleNotSwitchable`, and `SecondPersonNeeded` for whoever wrote it.
    """
    if not reason.strip():
        raise ReasonMissing("Say why: the reason is kept in the audit journal.", param="reason")
    found = ResolveRule.objects.named(rule).get()
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        same = Q(pk=found.pk) | Q(name=found.name, state=ResolveRuleState.ACTIVE.value)
        rows = list(ResolveRule.objects.locked().filter(same))
        chosen = next(row for row in rows if row.pk == found.pk)
        active = next((row for row in rows if row.state == ResolveRuleState.ACTIVE), None)
        if chosen.created_by == actor:
            raise SecondPersonNeeded("You wrote this rule yourself: a second person has to switch it on.")
        if not can_proceed(chosen.activate):
            raise ResolveRuleNotSwitchable(f"{rule} is {chosen.state} already.", param="rule")
        if active is not None:
            active.retire()
            active.store()
        chosen.activate(actor=actor)
        chosen.store()
    return str(active or "")
