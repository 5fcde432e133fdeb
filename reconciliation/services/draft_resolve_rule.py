from django.db import transaction
from django.db.models import Max

from ledger.audit import attribute
from ledger.money import Money, UnknownCurrency
from reconciliation.cases import ceiling_of
from reconciliation.errors import ReasonMissing, ResolveRuleInvalid
from reconciliation.models import ResolveRule
from reconciliation.states import BY_RULE, DiscrepancyKind


def draft_resolve_rule(
    *,
    name: str,
    channel: str,
    kind: str,
    action: str,
    max_amount: int,
    currency: str,
    fee_tolerance: int | None,
    min_age_days: int,
    actor: str,
    note: str,
) -> str:
    """This will save the next version of the rule `name` as a draft without effect, and return "name@version".

    `max_amount` in minor units, `fee_tolerance` in thousandths of one. Opens its own transaction. Raises
    `ReasonMissing` and `ResolveRuleInvalid`.
    """
    if not note.strip():
        raise ReasonMissing("Say what the rule is for.", param="note")
    if kind not in set(DiscrepancyKind):
        raise ResolveRuleInvalid("There is no such kind of difference.", param="kind")
    if action not in BY_RULE:
        raise ResolveRuleInvalid(
            "A rule posts, closes or writes off; all else is for people.", param="action"
        )
    _require_within_ceiling(max_amount, currency)
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=note)
        last = ResolveRule.objects.filter(name=name).aggregate(last=Max("version"))["last"] or 0
        rule = ResolveRule.objects.create(
            name=name,
            version=last + 1,
            channel=channel,
            kind=kind,
            action=action,
            max_amount=max_amount,
            currency=currency,
            fee_tolerance=fee_tolerance,
            min_age_days=min_age_days,
            note=note.strip()[:300],
            created_by=actor,
        )
    return str(rule)


def _require_within_ceiling(max_amount: int, currency: str) -> None:
    try:
        highest = Money(ceiling_of(currency), currency)
    except UnknownCurrency as problem:
        raise ResolveRuleInvalid("There is no such currency.", param="currency") from problem
    if not 0 <= max_amount <= highest.minor:
        raise ResolveRuleInvalid(
            f"No rule decides about more than {highest.formatted()}.", param="max_amount"
        )
