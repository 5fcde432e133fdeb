from django.db import transaction
from django_fsm import can_proceed

from ledger.audit import attribute
from reconciliation.errors import ReasonMissing, ResolveRuleNotSwitchable
from reconciliation.models import ResolveRule


def retire_resolve_rule(*, rule: str, actor: str, reason: str) -> None:
    """This will have the rule ("name@version") resolve nothing any more; what it did stays and can be undone.

    Opens its own transaction; locks the rule. Raises `ReasonMissing`, `ResolveRuleNotFound`,
    `ResolveRuleNotSwitchable`.
    """
    if not reason.strip():
        raise ReasonMissing("Say why: the reason is kept in the audit journal.", param="reason")
    found = ResolveRule.objects.named(rule).get()
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        row = ResolveRule.objects.locked().get(pk=found.pk)
        if not can_proceed(row.retire):
            raise ResolveRuleNotSwitchable(
                f"{rule} is {row.state}, so there is nothing to end.", param="rule"
            )
        row.retire()
        row.store()
