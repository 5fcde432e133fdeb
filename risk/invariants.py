"""What must be true of risk's rows."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from ledger.invariants import Finding
from risk.models import Challenge, Decision, Policy, RiskCase
from risk.selectors import replay_row
from risk.states import ChallengeState, PolicyState

_SAMPLE = 500  # newest decisions judged again; the others were when they were new
_SWEEP = timedelta(minutes=10)  # a case past its end is closed by the next sweep

_LOST_REVIEWS = """
SELECT d.id FROM risk_decision d
 WHERE d.action = 'review'
   AND NOT EXISTS (SELECT 1 FROM risk_riskcase c WHERE c.subject = d.subject)
 ORDER BY d.id LIMIT 100
"""


def check() -> Iterator[tuple[str, int, Iterable[Finding]]]:
    yield _one_active_policy()
    yield _decisions_replay()
    yield _reviews_have_cases()
    yield _cases_end_in_time()
    yield _challenges_end_in_time()


def _one_active_policy() -> tuple[str, int, list[Finding]]:
    name = "risk.one_active_policy"
    active = Policy.objects.filter(state=PolicyState.ACTIVE).count()
    found = (
        []
        if active == 1
        else [Finding(check=name, subject="policies", detail=f"{active} policies are active")]
    )
    return name, Policy.objects.count(), found


def _decisions_replay() -> tuple[str, int, list[Finding]]:
    name = "risk.decisions_replay"
    looked, found = 0, []
    newest = Decision.objects.select_related("policy").order_by("-id")[:_SAMPLE]
    for row in newest.iterator(chunk_size=100):
        looked += 1
        replay = replay_row(row)
        if not replay.same:
            detail = f"judged again it differs ({replay.fault})"
            found.append(Finding(check=name, subject=replay.decision, detail=detail))
    return name, looked, found


def _reviews_have_cases() -> tuple[str, int, list[Finding]]:
    name = "risk.reviews_have_cases"
    with connection.cursor() as cursor:
        cursor.execute(_LOST_REVIEWS)
        lost = [Decision(id=row[0]).public_id for row in cursor.fetchall()]
    detail = "a person must decide, but there is no case"
    return name, RiskCase.objects.count(), [Finding(check=name, subject=one, detail=detail) for one in lost]


def _cases_end_in_time() -> tuple[str, int, list[Finding]]:
    name = "risk.cases_end_in_time"
    late = RiskCase.objects.live().filter(decide_by__lt=timezone.now() - _SWEEP).order_by("decide_by")[:100]
    found = [
        Finding(
            check=name, subject=row.public_id, detail=f"still {row.state}, due {row.decide_by.isoformat()}"
        )
        for row in late
    ]
    return name, RiskCase.objects.live().count(), found


def _challenges_end_in_time() -> tuple[str, int, list[Finding]]:
    name = "risk.challenges_end_in_time"
    live = Challenge.objects.filter(state=ChallengeState.OPEN)
    late = live.filter(expires_at__lt=timezone.now() - _SWEEP).order_by("expires_at")[:100]
    found = [
        Finding(check=name, subject=row.public_id, detail=f"still open, due {row.expires_at.isoformat()}")
        for row in late
    ]
    return name, live.count(), found
