"""How a policy fares on decisions that others took: along with them, and on the newest ones at once."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from ledger.identifiers import first_key_of
from risk import rules, stored
from risk.rules import PolicyDocument
from risk.selectors import policy_named
from risk.tallies import Tally, agreement

TRIED = 500

_MATRIX = """
SELECT d.action, s.action, count(*)
  FROM risk_shadowoutcome s JOIN risk_decision d ON d.id = s.decision_id
 WHERE s.policy_id = %s AND s.decision_id >= %s
 GROUP BY d.action, s.action
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """`fired` counts, by rule, on how many of the decisions it fires; `lonely` where it alone changes the answer."""

    figures: dict[str, Any]
    fired: dict[str, int]
    lonely: dict[str, int]


def shadow_figures(policy: str, *, days: int) -> dict[str, Any]:
    """What was decided beside what `policy` said of it in the last days. Raises `PolicyNotFound`."""
    since = first_key_of(timezone.now() - timedelta(days=days))
    matrix: dict[str, Counter[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_MATRIX, [policy_named(policy).pk, since])
        for was, would, count in cursor.fetchall():
            matrix.setdefault(was, Counter())[would] = count
    return {
        "decisions": sum(row.total() for row in matrix.values()),
        "agreement": agreement(matrix),
        "matrix": {was: dict(row) for was, row in sorted(matrix.items())},
    }


def try_out(document: PolicyDocument, *, most: int = TRIED) -> Trial:
    """What `document` says of the newest decisions; nothing is stored."""
    tally, lonely = Tally(), Counter[str]()
    for one in stored.latest(most):
        judgement = rules.judge(document, one.inputs)
        tally.add(
            decision=one.id,
            subject=one.subject,
            was=one.action,
            judgement=judgement,
            fraud=one.fraud,
        )
        fired = [ground.code for ground in judgement.grounds if ground.source == "rule"]
        if len(fired) == 1 and judgement.action.value != one.action:
            lonely[fired[0]] += 1
    return Trial(
        figures=tally.figures(days=1),
        fired={rule.id: tally.causes[rule.id] for rule in document.rules},
        lonely=dict(lonely),
    )
