"""Write a new version of a policy."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Max

from ledger import audit
from risk import policies
from risk.models import Policy


def draft_policy(
    *,
    name: str,
    rules: Sequence[Mapping[str, Any]],
    thresholds: Mapping[str, Any],
    limits: Mapping[str, Mapping[str, int]],
    rates: Mapping[str, str],
    actor: str,
    note: str = "",
    model: Mapping[str, Any] | None = None,
) -> str:
    """This will save the next version of the policy `name` as a draft without effect, and return "name@version".

    Use case. Every rule is compiled and tried. Raises `InvalidRule` (param: the rule's id), `InvalidPolicy`.
    """
    policies.parse(name=name, rules=rules, thresholds=thresholds, limits=limits, rates=rates, model=model)
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=note)
        last = Policy.objects.filter(name=name).aggregate(last=Max("version"))["last"] or 0
        policy = Policy.objects.create(
            name=name,
            version=last + 1,
            rules=rules,
            thresholds=thresholds,
            limits=limits,
            rates=rates,
            model=model or {},
            note=note,
            created_by=actor,
        )
    return str(policy)
