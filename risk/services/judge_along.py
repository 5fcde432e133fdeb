import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from risk import rules, stored
from risk.models import Policy, Reader, RollOut, ShadowOutcome
from risk.selectors import policy_document
from risk.states import PolicyState

_CHUNK = 500
_MOST_CHUNKS = 40  # of one policy at a time: the next run goes on
_LATE = timedelta(minutes=5)  # so much later than its key a decision may appear
_CATCH_UP = timedelta(days=1)  # further back a back-test says more in less time

_UNJUDGED = """
SELECT d.id, d.inputs::text FROM risk_decision d
 WHERE d.id > %(after)s AND d.id < %(before)s AND d.stage = 'payment' AND d.policy_id <> %(policy)s
   AND NOT EXISTS (SELECT 1 FROM risk_shadowoutcome s WHERE s.policy_id = %(policy)s AND s.decision_id = d.id)
 ORDER BY d.id LIMIT %(most)s
"""


def judge_along(*, now: datetime) -> int:
    """This will have the policies that do not decide judge what was decided, and return how many answers they gave.

    These are the policies in shadow, and the active one on what a roll-out took from it. They judge the stored inputs
    later rather than in `assess`, where each would take its time from every payment. Use case; one transaction for
    each chunk, which locks the policy's reader: two at a time do not judge twice, and a pause is caught up with.
    """
    roll_out = RollOut.objects.running().first()
    judging = list(Policy.objects.filter(state=PolicyState.SHADOW).order_by("pk"))
    if roll_out is not None:
        judging += Policy.objects.filter(state=PolicyState.ACTIVE)
    given = 0
    for policy in judging:
        for _ in range(_MOST_CHUNKS):
            judged = _judge_some(policy, now)
            given += judged
            if judged < _CHUNK:
                break
    return given


def _judge_some(policy: Policy, now: datetime) -> int:
    document = policy_document(policy.pk)
    with transaction.atomic(durable=True):
        reader = Reader.objects.of(f"along:{policy.pk.hex}")
        through = max(reader.through or stored.key_before(now), stored.key_before(now - _CATCH_UP))
        rows = _unjudged(policy.pk, stored.key_before(stored.made_at(through) - _LATE), now)
        answers = [(key, rules.judge(document, inputs)) for key, inputs in rows]
        ShadowOutcome.objects.bulk_create(
            [
                ShadowOutcome(policy=policy, decision_id=key, action=answer.action.value, score=answer.score)
                for key, answer in answers
            ]
        )
        reader.advance(rows[-1][0] if len(rows) == _CHUNK else stored.key_before(now))
    return len(rows)


def _unjudged(policy_id: UUID, after: UUID, now: datetime) -> list[tuple[UUID, dict[str, Any]]]:
    params: dict[str, Any] = {
        "after": after,
        "before": stored.key_before(now),
        "policy": policy_id,
        "most": _CHUNK,
    }
    with connection.cursor() as cursor:
        cursor.execute(_UNJUDGED, params)
        return [(key, json.loads(inputs)) for key, inputs in cursor.fetchall()]
