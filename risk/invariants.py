"""What must be true of risk's rows."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.db import connection
from django.db.models import F
from django.utils import timezone

from ledger.invariants import Finding
from risk import masking, rules
from risk.advice import Unfounded, restored
from risk.advice import check as check_advice
from risk.artefacts import unseal
from risk.errors import UnusableModel
from risk.models import (
    Advice,
    Challenge,
    Decision,
    Freeze,
    ListChange,
    ListEntry,
    ListImport,
    Outcome,
    Policy,
    Proof,
    RiskCase,
    RiskModel,
    RollOut,
    ShadowOutcome,
)
from risk.scorers import artefact_of
from risk.selectors import policy_document, replay_row
from risk.states import BY_TWO, AdviceState, CaseState, ChallengeState, PolicyState

_SAMPLE = 500  # newest decisions judged again; the others were when they were new
_MODELS = 20  # newest versions; a model is some hundred kilobytes
_RECENT = timedelta(days=30)
_SWEEP = timedelta(minutes=10)  # a case past its end is closed by the next sweep

_LOST_REVIEWS = """
SELECT d.id FROM risk_decision d
 WHERE d.action = 'review'
   AND NOT EXISTS (SELECT 1 FROM risk_riskcase c WHERE c.subject = d.subject)
 ORDER BY d.id LIMIT 100
"""


# Who decides for a share judges along for the others.
_ROLLED_OUT = """
SELECT ledger_public_id('rol', r.id), p.state
  FROM risk_rollout r JOIN risk_policy p ON p.id = r.policy_id
 WHERE r.state = 'RUNNING' AND p.state <> 'SHADOW'
"""
_DEAF_TIES = """
SELECT c.id FROM risk_riskcase c JOIN risk_decision d ON d.id = c.decision_id
 WHERE c.state = 'REJECTED' AND c.kind <> 'second' AND c.closed_at > %(since)s AND d.customer_key <> ''
   AND EXISTS (SELECT 1 FROM risk_tie t WHERE t.customer_key = d.customer_key AND t.first_at <= c.opened_at)
   AND NOT EXISTS (SELECT 1 FROM risk_tie t WHERE t.customer_key = d.customer_key AND t.fraud_at IS NOT NULL)
 ORDER BY c.id LIMIT 100
"""
# Who is frozen was seen, and who was proven answered a challenge.
_STRANGE_FREEZES = """
SELECT ledger_public_id('frz', f.id) FROM risk_freeze f
 WHERE f.ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM risk_device d WHERE d.device_key = f.device_key)
 ORDER BY f.id LIMIT 100
"""
_UNPROVEN = """
SELECT t.id FROM risk_tie t
 WHERE t.verified_at > %(since)s AND NOT EXISTS (
       SELECT 1 FROM risk_challenge c
        WHERE c.customer_key = t.customer_key AND c.state = 'PASSED' AND c.closed_at = t.verified_at)
 ORDER BY t.id LIMIT 100
"""


_NOT_ASKED = """
SELECT c.id FROM risk_riskcase c
 WHERE c.state = 'CHALLENGED' AND NOT EXISTS (SELECT 1 FROM risk_challenge h WHERE h.decision_id = c.decision_id)
 ORDER BY c.id LIMIT 100
"""


# A file was taken whole: each of its entries is there, also after it has ended.
_TORN_IMPORTS = """
SELECT ledger_public_id('lim', i.id), i.added + i.renewed, coalesce(e.entries, 0)
  FROM risk_listimport i
  LEFT JOIN (SELECT brought_by_id, count(*) AS entries FROM risk_listentry
              WHERE brought_by_id IS NOT NULL GROUP BY brought_by_id) AS e ON e.brought_by_id = i.id
 WHERE i.added + i.renewed <> coalesce(e.entries, 0)
 ORDER BY i.id LIMIT 100
"""


_BY_ONE = """
SELECT ledger_public_id('lst', e.id) FROM risk_listentry e
 WHERE e.kind IN ('fatal', 'white') AND e.ended_at IS NULL AND (e.confirmed_by = '' OR e.confirmed_by = e.created_by)
 UNION ALL
SELECT ledger_public_id('lch', c.id) FROM risk_listchange c
 WHERE c.state = 'CONFIRMED' AND (c.decided_by = '' OR c.decided_by = c.proposed_by)
 LIMIT 100
"""


def check() -> Iterator[tuple[str, int, Iterable[Finding]]]:
    yield _one_active_policy()
    yield _decisions_replay()
    yield _reviews_have_cases()
    yield _cases_end_in_time()
    yield _models_are_ours()
    yield _outcomes_are_of_their_decisions()
    yield _shadows_replay()
    yield _roll_outs_are_of_shadows()
    yield _verdicts_reach_the_graph()
    yield _challenges_end_in_time()
    yield _challenged_cases_were_asked()
    yield _advice_is_founded()
    yield _devices_are_known_and_proven()
    yield _imports_are_whole()
    yield _strongest_by_two()


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


def _models_are_ours() -> tuple[str, int, list[Finding]]:
    name = "risk.models_are_ours"
    looked, found = 0, []
    for row in RiskModel.objects.order_by("-created_at")[:_MODELS].iterator(chunk_size=1):
        looked += 1
        try:
            unseal(artefact_of(row))
        except UnusableModel as fault:
            found.append(Finding(check=name, subject=row.public_id, detail=str(fault)))
    return name, looked, found


def _outcomes_are_of_their_decisions() -> tuple[str, int, list[Finding]]:
    name = "risk.outcomes_are_of_their_decisions"
    looked, found = 0, list[Finding]()
    for kept in (Outcome.objects.order_by("id"), Proof.objects.order_by("id")):
        looked += kept.count()
        strays = kept.exclude(subject=F("decision__subject"), happened_at=F("decision__happened_at"))
        found += [
            Finding(
                check=name, subject=row.subject, detail=f"{row.source} is noted on another payment's decision"
            )
            for row in strays[:100]
        ]
    return name, looked, found


def _challenged_cases_were_asked() -> tuple[str, int, list[Finding]]:
    name = "risk.challenged_cases_were_asked"
    with connection.cursor() as cursor:
        cursor.execute(_NOT_ASKED)
        silent = [RiskCase(id=row[0]).public_id for row in cursor.fetchall()]
    detail = "handed to the customer, whom nobody asked"
    looked = RiskCase.objects.filter(state=CaseState.CHALLENGED).count()
    return name, looked, [Finding(check=name, subject=one, detail=detail) for one in silent]


def _shadows_replay() -> tuple[str, int, list[Finding]]:
    name = "risk.shadows_replay"
    looked, found = 0, []
    newest = ShadowOutcome.objects.select_related("decision").order_by("-id")[:_SAMPLE]
    for row in newest.iterator(chunk_size=100):
        looked += 1
        again = rules.judge(policy_document(row.policy_id), row.decision.inputs)
        if (again.action, again.score) != (row.action, row.score):
            detail = f"{again.policy} says {again.action} {again.score}, stored is {row.action} {row.score}"
            found.append(Finding(check=name, subject=row.decision.public_id, detail=detail))
    return name, looked, found


def _roll_outs_are_of_shadows() -> tuple[str, int, list[Finding]]:
    name = "risk.roll_outs_are_of_shadows"
    with connection.cursor() as cursor:
        cursor.execute(_ROLLED_OUT)
        found = [
            Finding(check=name, subject=one, detail=f"its policy is {state}")
            for one, state in cursor.fetchall()
        ]
    return name, RollOut.objects.count(), found


def _verdicts_reach_the_graph() -> tuple[str, int, list[Finding]]:
    name, since = "risk.verdicts_reach_the_graph", timezone.now() - _RECENT
    with connection.cursor() as cursor:
        cursor.execute(_DEAF_TIES, {"since": since})
        deaf = [RiskCase(id=row[0]).public_id for row in cursor.fetchall()]
    detail = "rejected, but who is linked with the customer does not learn of it"
    looked = RiskCase.objects.filter(closed_at__gt=since).count()
    return name, looked, [Finding(check=name, subject=one, detail=detail) for one in deaf]


def _challenges_end_in_time() -> tuple[str, int, list[Finding]]:
    name = "risk.challenges_end_in_time"
    live = Challenge.objects.filter(state=ChallengeState.OPEN)
    late = live.filter(expires_at__lt=timezone.now() - _SWEEP).order_by("expires_at")[:100]
    found = [
        Finding(check=name, subject=row.public_id, detail=f"still open, due {row.expires_at.isoformat()}")
        for row in late
    ]
    return name, live.count(), found


def _advice_is_founded() -> tuple[str, int, list[Finding]]:
    name = "risk.advice_is_founded"
    looked, found = 0, []
    written = Advice.objects.filter(state=str(AdviceState.WRITTEN)).select_related("decision").order_by("-id")
    for row in written[:_SAMPLE].iterator(chunk_size=100):
        looked += 1
        one = row.decision
        try:
            check_advice(
                restored(row.statements),
                masking.mask(policy_document(one.policy_id), one.inputs, one.outcome),
            )
        except Unfounded as fault:
            found.append(Finding(check=name, subject=row.public_id, detail=f"{fault.code}: {fault}"))
    return name, looked, found


def _devices_are_known_and_proven() -> tuple[str, int, list[Finding]]:
    name = "risk.devices_are_known_and_proven"
    with connection.cursor() as cursor:
        cursor.execute(_STRANGE_FREEZES)
        strange = [(key, "is about a device that nobody saw") for (key,) in cursor.fetchall()]
        cursor.execute(_UNPROVEN, {"since": timezone.now() - _RECENT})
        unproven = [(f"tie {key}", "is verified without a challenge") for (key,) in cursor.fetchall()]
    found = [Finding(check=name, subject=key, detail=told) for key, told in (*strange, *unproven)]
    return name, Freeze.objects.standing().count(), found


def _imports_are_whole() -> tuple[str, int, list[Finding]]:
    name = "risk.imports_are_whole"
    with connection.cursor() as cursor:
        cursor.execute(_TORN_IMPORTS)
        found = [
            Finding(check=name, subject=one, detail=f"{wanted} entries were taken, {there} are there")
            for one, wanted, there in cursor.fetchall()
        ]
    return name, ListImport.objects.count(), found


def _strongest_by_two() -> tuple[str, int, list[Finding]]:
    name = "risk.strongest_lists_by_two"
    with connection.cursor() as cursor:
        cursor.execute(_BY_ONE)
        alone = [row[0] for row in cursor.fetchall()]
    looked = ListEntry.objects.filter(kind__in=BY_TWO, ended_at=None).count() + ListChange.objects.count()
    detail = "one person alone put it there"
    return name, looked, [Finding(check=name, subject=one, detail=detail) for one in alone]
