from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction

from ledger import audit
from ledger.errors import Refusal
from reconciliation.cases import ceiling_of, resolvable
from reconciliation.models import Discrepancy, ResolveRule
from reconciliation.services.carry_out_repair import carry_out_repair
from reconciliation.services.propose_repair import propose_repair
from reconciliation.states import DiscrepancyState

_log = structlog.get_logger(__name__)


def apply_resolve_rules(*, now: datetime, limit: int = 2000) -> int:
    """This will repair what the active rules say, at most `limit` for each of them, and say how many it repaired.

    Each is a transaction of its own, under the discrepancy's lock: what a person took up meanwhile is left to them,
    and nothing above `RECONCILIATION_RULE_CEILING` is touched. Its repair names the rule and its version. May run at
    any time, and beside itself.
    """
    repaired = 0
    for rule in ResolveRule.objects.active():
        for key in list(resolvable(rule, now).values_list("pk", flat=True)[:limit]):
            repaired += _apply(rule, key, now)
    return repaired


def _apply(rule: ResolveRule, key: UUID, now: datetime) -> int:
    try:
        with transaction.atomic(durable=True):
            audit.attribute(actor=rule.actor, reason=f"{rule}: {rule.note}")
            row = Discrepancy.objects.locked().get(pk=key)
            if row.state != DiscrepancyState.OPEN or not resolvable(rule, now).filter(pk=key).exists():
                return 0
            repair = propose_repair(
                row=row, kind=rule.action, actor=rule.actor, reason=f"{rule}: {rule.note}", rule=rule
            )
            if repair.amount > ceiling_of(repair.currency):
                raise _AboveCeiling
            carry_out_repair(row=row, repair=repair)
    except (Refusal, _AboveCeiling) as refusal:
        _log.info("resolve_rule_left_alone", rule=str(rule), discrepancy=str(key), why=str(refusal))
        return 0
    return 1


class _AboveCeiling(Exception):
    """What would be booked is more than any rule may decide about."""
