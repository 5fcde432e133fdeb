"""Cases, lists, policies and limits as people and parallel payments use them: durable, on a real database."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from ledger.errors import Refusal
from ledger.identifiers import decode
from ledger.wire import Call, Statement
from risk import evidence, invariants, selectors, starting
from risk.errors import (
    CaseAlreadyDecided,
    CaseClaimedByAnother,
    CaseExpired,
    CaseNeedsSenior,
    CaseNotFound,
    InvalidListEntry,
    InvalidRule,
    ListEntryNotFound,
    PolicyNotFound,
)
from risk.facts import PaymentFacts, Verdict
from risk.models import LimitUse, ListEntry, Policy, RiskCase, Tie
from risk.selectors import CaseView
from risk.services.activate_policy import activate_policy
from risk.services.add_list_entry import add_list_entry
from risk.services.assess import assess
from risk.services.claim_case import claim_case
from risk.services.decide_case import decide_case
from risk.services.draft_policy import draft_policy
from risk.services.end_list_entry import end_list_entry
from risk.services.escalate_case import escalate_case
from risk.services.expire_case import expire_case
from risk.services.expire_cases import expire_cases
from tests.patience import PATIENCE
from tests.risk.makers import facts, listed

pytestmark = pytest.mark.django_db(transaction=True)
LIST: dict[str, Any] = {"reason": "chargeback", "actor": "user:1"}


def asked(question: PaymentFacts) -> Verdict:
    with transaction.atomic():
        return assess(facts=question)


def decide(case: str, *, approve: bool = True, actor: str = "user:1", senior: bool = False) -> CaseView:
    with transaction.atomic():
        return decide_case(
            case=case, approve=approve, actor=actor, reason="called the customer", senior=senior
        )


@pytest.fixture
def case() -> str:
    return asked(facts(500_000, to="US")).case


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run all together; a refusal is a result."""
    barrier = Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        try:
            barrier.wait(PATIENCE)
            return work()
        except Refusal as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_approve_and_reject(case: str) -> None:
    view = decide(case)
    assert (view.state, view.closed_by, view.reason) == ("APPROVED", "user:1", "called the customer")
    other = asked(facts(500_000, to="US", subject="pay_2")).case
    assert decide(other, approve=False).state == "REJECTED"
    assert selectors.live_cases() == [] and len(selectors.closed_cases()) == 2


def test_a_case_is_decided_once(case: str) -> None:
    decide(case, approve=False)
    with pytest.raises(CaseAlreadyDecided, match="user:1"):
        decide(case, actor="user:2")
    assert selectors.case_of(case).state == "REJECTED"


def test_two_people_deciding_together_get_one_answer_and_one_refusal(case: str) -> None:
    results = at_once(*(lambda n=n: decide(case, approve=n == 1, actor=f"user:{n}") for n in (1, 2)))
    assert sorted(type(result).__name__ for result in results) == ["CaseAlreadyDecided", "CaseView"]


def test_a_claimed_case_says_so_to_others(case: str) -> None:
    assert claim_case(case=case, actor="user:1").assignee == "user:1"
    assert claim_case(case=case, actor="user:1").state == "ASSIGNED"
    with pytest.raises(CaseClaimedByAnother, match="user:1"):
        claim_case(case=case, actor="user:2")
    with pytest.raises(CaseClaimedByAnother):
        decide(case, actor="user:2")
    assert selectors.case_of(case).state == "ASSIGNED"
    assert decide(case, actor="user:1").state == "APPROVED"


def test_an_escalated_case_goes_back_into_the_queue(case: str) -> None:
    claim_case(case=case, actor="user:1")
    with pytest.raises(CaseClaimedByAnother):
        escalate_case(case=case, actor="user:2", reason="mine")
    view = escalate_case(case=case, actor="user:1", reason="too large for me")
    assert (view.state, view.assignee) == ("ESCALATED", "")
    with pytest.raises(CaseNeedsSenior):
        claim_case(case=case, actor="user:8")
    assert claim_case(case=case, actor="user:9", senior=True).state == "ASSIGNED"
    with pytest.raises(CaseNeedsSenior):
        decide(case, actor="user:9")
    decide(case, actor="user:9", senior=True)
    with pytest.raises(CaseAlreadyDecided):
        escalate_case(case=case, actor="user:9", reason="again")
    with pytest.raises(CaseAlreadyDecided):
        claim_case(case=case, actor="user:9")


def test_after_half_an_hour_nobody_decides_any_more(case: str) -> None:
    with transaction.atomic():
        assert expire_cases() == []
    with time_machine.travel(timezone.now() + timedelta(minutes=30, seconds=1)):
        assert [one.id for one in selectors.due_cases()] == [case] and selectors.case_of(case).overdue
        with pytest.raises(CaseExpired):
            decide(case)
        with pytest.raises(CaseExpired):
            claim_case(case=case, actor="user:1")
        assert selectors.case_of(case).state == "OPEN"
        with transaction.atomic():
            assert [one.subject for one in expire_cases()] == ["pay_1"]
            assert expire_cases() == []
        assert selectors.case_of(case).state == "EXPIRED"
        with pytest.raises(CaseExpired):
            decide(case)


def test_a_cancelled_payment_ends_its_case(case: str) -> None:
    with transaction.atomic():
        assert expire_case(case=case, reason="the customer cancelled").state == "EXPIRED"
        assert expire_case(case=case).reason == "the customer cancelled"
    done = asked(facts(500_000, to="US")).case
    decide(done)
    with pytest.raises(CaseAlreadyDecided), transaction.atomic():
        expire_case(case=done)


@pytest.mark.parametrize(
    "name", ["", "case_", "pay_01", "case_0000000000000000000000000z", "case_" + "0" * 26]
)
def test_an_unknown_case_is_not_found(name: str) -> None:
    with pytest.raises(CaseNotFound):
        decide(name)
    with pytest.raises(CaseNotFound):
        claim_case(case=name, actor="user:1")


def test_every_change_of_a_case_is_in_the_audit_journal(case: str) -> None:
    claim_case(case=case, actor="user:1")
    decide(case)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT actor, before, after FROM ledger_auditentry WHERE object_id = %s ORDER BY id", [case]
        )
        rows = cursor.fetchall()
    assert rows == [
        ("system", None, '"OPEN"'),
        ("user:1", '"OPEN"', '"ASSIGNED"'),
        ("user:1", '"ASSIGNED"', '"APPROVED"'),
    ]


def test_a_live_case_has_no_second_one_of_the_same_payment(case: str) -> None:
    row = RiskCase.objects.get()
    other = asked(facts(subject="pay_other"))
    with pytest.raises(DatabaseError, match="risk_case_one_live"):
        RiskCase.objects.create(
            decision_id=decode("dec", other.decision),
            subject=row.subject,
            opened_at=row.opened_at,
            decide_by=row.decide_by,
        )


def test_an_entry_decides_from_the_next_question_until_it_ends() -> None:
    entry = add_list_entry(kind="black", entity="card", value="fp_1", label="visa •••• 4242", **LIST)
    verdict = asked(facts())
    assert (verdict.action, verdict.reasons[0].text) == (
        "reject",
        "The card is on the black list: chargeback",
    )
    assert "fp_1" not in str(ListEntry.objects.values())
    white = listed(kind="white", entity="customer", value="cus_anna", **LIST)
    assert asked(facts()).action == "accept"
    for one in (entry, white):
        end_list_entry(entry=one, actor="user:1", reason="mistake")
    assert asked(facts()).reasons == ()
    assert selectors.replay(verdict.decision).same


@pytest.mark.parametrize(
    ("entity", "value"),
    [
        ("email", "e-anna"),
        ("device", "dev_1"),
        ("ip", "203.0.113.77"),
        ("address", "a-1"),
        ("merchant", "m_1"),
        ("sku", "TEA-2"),
        ("customer", "cus_anna"),
    ],
)
def test_every_kind_of_entity_can_be_listed(entity: str, value: str) -> None:
    question = facts(merchant="m_1", skus=("TEA-1", "TEA-2"))
    assert asked(question).action == "accept"
    listed(kind="fatal", entity=entity, value=value, **LIST)
    assert asked(question).action == "reject"


def test_an_entry_expires() -> None:
    add_list_entry(
        kind="black", entity="card", value="fp_1", expires_at=timezone.now() + timedelta(hours=1), **LIST
    )
    assert asked(facts(happened_at=timezone.now())).action == "reject"
    assert asked(facts(happened_at=timezone.now() + timedelta(hours=2))).action == "accept"


def test_bad_entries_are_refused() -> None:
    good: dict[str, Any] = {"kind": "black", "entity": "card", "value": "fp_1", **LIST}
    add_list_entry(**good)
    past = timezone.now() - timedelta(seconds=1)
    for change in (
        {"kind": "pink"},
        {"entity": "colour"},
        {"value": ""},
        {"reason": " "},
        {"expires_at": past, "value": "x"},
        {},
    ):
        with pytest.raises(InvalidListEntry):
            add_list_entry(**(good | change))
    assert ListEntry.objects.count() == 1
    for name in ("lst_x", "lst_" + "0" * 26):
        with pytest.raises(ListEntryNotFound):
            end_list_entry(entry=name, actor="user:1", reason="")


def spend(number: int) -> Verdict:
    return asked(facts(60_000, level=1, subject=f"pay_{number}"))


def test_parallel_payments_can_not_exceed_a_limit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    asked(facts())
    verdicts = at_once(*(lambda n=n: spend(n) for n in range(4)))
    assert sorted(verdict.action for verdict in verdicts) == ["accept", "reject", "reject", "reject"]
    assert [use.amount for use in LimitUse.objects.all()] == [60_000]


def test_without_the_lock_they_would(monkeypatch: pytest.MonkeyPatch) -> None:
    asked(facts())
    together = Barrier(4)
    monkeypatch.setattr(evidence, "_LOCK", Statement("no_lock", "SELECT %(lock)s"))
    taken = LimitUse.taken

    def late(**values: Any) -> Call:
        together.wait(PATIENCE)  # all have counted before any has taken
        return taken(**values)

    monkeypatch.setattr(LimitUse, "taken", late)
    verdicts = at_once(*(lambda n=n: spend(n) for n in range(4)))
    assert [verdict.action for verdict in verdicts] == ["accept"] * 4


@pytest.fixture
def active() -> str:
    asked(facts(subject="pay_0"))  # the policy that ships is there, also after a flush
    return "starting@3"


def draft(**changes: Any) -> str:
    document: dict[str, Any] = {
        "rules": starting.RULES,
        "thresholds": starting.THRESHOLDS,
        "limits": starting.LIMITS,
        "rates": starting.RATES,
    }
    return draft_policy(name="starting", actor="user:1", **(document | changes))


def test_a_new_version_decides_when_activated_and_the_old_one_can_return(active: str) -> None:
    before = asked(facts(paid_orders=0))
    second = draft(rules=[starting.RULES[1] | {"weight": 70, "version": 2}])
    assert second == "starting@4" and asked(facts(paid_orders=0)).score == 15
    assert activate_policy(policy=second, actor="user:2", reason="new customers") == active
    after = asked(facts(paid_orders=0, subject="pay_2"))
    assert (after.policy, after.score) == (second, 70)
    assert selectors.replay(before.decision).same and selectors.replay(after.decision).same
    assert activate_policy(policy=active, actor="user:1", reason="back") == second
    assert asked(facts(paid_orders=0, subject="pay_3")).score == 15
    assert Policy.objects.filter(state="ACTIVE").count() == 1


def test_a_bad_rule_is_refused_at_save(active: str) -> None:
    with pytest.raises(InvalidRule) as refused:
        draft(rules=[starting.RULES[0] | {"expression": "payment.amount >"}])
    assert refused.value.param == "large_amount" and Policy.objects.count() == 3
    with pytest.raises(PolicyNotFound):
        activate_policy(policy="starting@7", actor="user:1", reason="")


def test_a_policy_that_decided_is_frozen(active: str) -> None:
    harms: list[dict[str, Any]] = [{"rules": []}, {"version": 9}]
    for harm in harms:
        with pytest.raises(DatabaseError, match="Cannot update"):
            Policy.objects.update(**harm)
    with pytest.raises(DatabaseError, match="Cannot delete"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM risk_policy")
    with pytest.raises(DatabaseError, match="risk_policy_one_active"):
        Policy.objects.create(
            name="other", version=1, rules=[], thresholds={}, limits={}, rates={}, state="ACTIVE"
        )


def broken() -> dict[str, int]:
    return {name: len(list(found)) for name, _, found in invariants.check()}


def test_invariants_hold_and_name_what_breaks_them(active: str, case: str) -> None:
    assert broken() == {
        "risk.one_active_policy": 0,
        "risk.decisions_replay": 0,
        "risk.reviews_have_cases": 0,
        "risk.cases_end_in_time": 0,
        "risk.models_are_ours": 0,
        "risk.outcomes_are_of_their_decisions": 0,
        "risk.shadows_replay": 0,
        "risk.roll_outs_are_of_shadows": 0,
        "risk.verdicts_reach_the_graph": 0,
        "risk.challenges_end_in_time": 0,
        "risk.challenged_cases_were_asked": 0,
        "risk.advice_is_founded": 0,
        "risk.imports_are_whole": 0,
        "risk.strongest_lists_by_two": 0,
        "risk.devices_are_known_and_proven": 0,
    }
    RiskCase.objects.update(decide_by=timezone.now() - timedelta(minutes=11))
    assert broken()["risk.cases_end_in_time"] == 1
    other = asked(facts(500_000, to="US", subject="pay_deaf")).case
    RiskCase.objects.filter(pk=decode("case", other)).update(decide_by=timezone.now() + timedelta(minutes=9))
    decide(other, approve=False)
    Tie.objects.update(fraud_at=None)
    assert broken()["risk.verdicts_reach_the_graph"] == 1
    RiskCase.objects.all().delete()
    assert broken()["risk.reviews_have_cases"] == 2
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE risk_decision SET inputs = jsonb_set(inputs, '{facts,amount}', '1')")
        cursor.execute("SET session_replication_role = DEFAULT")
    assert broken()["risk.decisions_replay"] == 3
    with connection.cursor() as cursor:
        cursor.execute("UPDATE risk_policy SET state = 'RETIRED'")
    assert broken()["risk.one_active_policy"] == 1
