"""Samples and second looks hold no money; the queue's order; how far reviewers agree."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, transaction
from django.urls import reverse
from django.utils import timezone

from ledger.selectors import audit_trail
from payments.tasks import expire_due_reviews
from risk import cases, selectors, stakes, starting
from risk.cases import Agreement
from risk.errors import CaseHoldsMoney, CaseIsOwn, InvalidCaseNote, InvalidPolicy
from risk.facts import Verdict
from risk.models import CaseNote, RiskCase
from risk.services.activate_policy import activate_policy
from risk.services.add_case_note import add_case_note
from risk.services.assess import assess
from risk.services.claim_case import claim_case
from risk.services.decide_case import decide_case
from risk.services.draft_policy import draft_policy
from risk.services.judge_case import judge_case
from tests.reconciliation.operators import person
from tests.risk.makers import facts

pytestmark = pytest.mark.django_db(transaction=True)


def policy(**shares: int) -> None:
    version = draft_policy(
        name="looked-at",
        rules=starting.RULES,
        thresholds={**starting.THRESHOLDS, **shares},
        limits=starting.LIMITS,
        rates=starting.RATES,
        actor="user:1",
    )
    ask(amount=1)  # the policy that ships is there, also after a flush
    activate_policy(policy=version, actor="user:2", reason="looks")


def ask(subject: str = "pay_0", *, amount: int = 10_000, to: str = "CN", **others: Any) -> Verdict:
    with transaction.atomic():
        return assess(facts=facts(amount, to=to, subject=subject, happened_at=timezone.now(), **others))


def decide(case: str, *, approve: bool, actor: str = "user:1") -> None:
    with transaction.atomic():
        decide_case(case=case, approve=approve, actor=actor, reason="seen")


def test_a_share_of_what_is_accepted_is_looked_at_and_goes_on() -> None:
    policy(sample_per_mille=300)
    verdicts = [ask(f"pay_{n}", customer=f"cus_{n}", device=facts().device) for n in range(8)]
    drawn = [n for n in range(8) if stakes.drawn(f"pay_{n}", per_mille=300)]
    samples = RiskCase.objects.filter(kind="sample")
    assert 0 < len(drawn) < 8 and {row.subject for row in samples} == {f"pay_{n}" for n in drawn}
    assert {(verdict.action, verdict.case) for verdict in verdicts} == {("accept", "")}
    ask(f"pay_{drawn[0]}")
    assert RiskCase.objects.filter(kind="sample").count() == len(drawn)  # trying again draws nothing anew


def test_nothing_is_drawn_by_the_policy_that_ships() -> None:
    for number in range(5):
        ask(f"pay_{number}")
    assert not RiskCase.objects.exists()


def test_a_sample_does_not_stand_in_for_a_case_that_holds_money() -> None:
    policy(sample_per_mille=1000)
    assert ask("pay_1").case == ""
    held = ask("pay_1", amount=500_000, to="US")
    assert selectors.case_of(held.case).kind == "hold" and RiskCase.objects.live().count() == 2


def test_a_sample_is_judged_without_money_and_teaches_the_next_decision() -> None:
    policy(sample_per_mille=1000)
    ask("pay_1")
    sample = RiskCase.objects.get(subject="pay_1")
    view = judge_case(case=sample.public_id, approve=False, actor="user:7", reason="a mule's address")
    assert (view.state, view.kind) == ("REJECTED", "sample")
    assert [entry.after for entry in audit_trail(sample.public_id)] == ["OPEN", "REJECTED"]
    other = ask("pay_2", customer="cus_else")
    assert selectors.decision(other.decision).inputs["graph"]["frauds_near"] == 1
    held = ask("pay_3", amount=500_000, to="US")
    with pytest.raises(CaseHoldsMoney):
        judge_case(case=held.case, approve=True, actor="user:7", reason="wrong door")
    assert selectors.case_of(held.case).state == "OPEN"


def test_looks_that_nobody_took_end_after_a_day_and_holds_do_not_wait_for_them() -> None:
    policy(sample_per_mille=1000)
    ask("pay_1")
    assert expire_due_reviews() == 0
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        assert expire_due_reviews() == 1
    assert RiskCase.objects.get(subject="pay_1").state == "EXPIRED"


def test_a_second_look_is_a_colleague_s_and_blind() -> None:
    policy(second_look_per_mille=1000)
    held = ask("pay_1", amount=500_000, to="US")
    decide(held.case, approve=True, actor="user:1")
    second = RiskCase.objects.get(kind="second")
    with pytest.raises(CaseIsOwn):
        claim_case(case=second.public_id, actor="user:1")
    with pytest.raises(CaseIsOwn):
        judge_case(case=second.public_id, approve=True, actor="user:1", reason="again")
    shown = person("risk analyst", "ana").get(reverse("review-case", kwargs={"case": second.public_id}))
    assert "A second look" in shown.content.decode() and "approved" not in shown.content.decode()
    judge_case(case=second.public_id, approve=False, actor="user:2", reason="I would not")
    assert RiskCase.objects.filter(kind="second").count() == 1
    ask("pay_2", customer="cus_else")
    assert cases.agreement() == Agreement(
        both_approve=0, both_reject=0, only_first_rejects=0, only_second_rejects=1
    )
    [first] = [one for one in cases.reviewers() if one.actor == "user:1"]
    assert (first.decided, first.looks, first.agreed, first.agreed_percent) == (1, 1, 0, 0)


def test_kappa_by_hand() -> None:
    """20 and 15 of 50 alike: 0.70 observed, 0.50 by chance (25*30 + 25*20 of 2500)."""
    both = Agreement(both_approve=15, both_reject=20, only_first_rejects=5, only_second_rejects=10)
    assert (both.looks, both.kappa_percent) == (50, 40)
    assert Agreement(both_approve=0, both_reject=0, only_first_rejects=0, only_second_rejects=0).looks == 0
    alone = Agreement(both_approve=9, both_reject=0, only_first_rejects=0, only_second_rejects=0)
    assert alone.kappa_percent is None  # where all say yes, chance explains it all


def test_what_would_cost_most_comes_first_but_what_is_due_soon_before_it() -> None:
    amounts = {"pay_1": 400_000, "pay_2": 500_000, "pay_3": 450_000}
    held = {name: ask(name, amount=amount, to="US").case for name, amount in amounts.items()}
    assert [case.subject for case in selectors.live_cases()] == ["pay_2", "pay_3", "pay_1"]
    assert [case.expected_loss for case in selectors.live_cases()] == [325_000, 292_500, 260_000]
    RiskCase.objects.filter(subject="pay_1").update(decide_by=timezone.now() + timedelta(minutes=9))
    assert [case.id for case in selectors.live_cases()] == [held["pay_1"], held["pay_2"], held["pay_3"]]


def test_the_stake_follows_the_model_where_there_is_one() -> None:
    assert stakes.expected_loss(amount=100_000, score=65, model={}) == 65_000
    assert stakes.expected_loss(amount=100_000, score=300, model={}) == 100_000
    assert stakes.expected_loss(amount=100_000, score=65, model={"probability_ppm": 20_000}) == 2_000
    assert stakes.expected_loss(amount=-5, score=65, model={}) == 0


@pytest.mark.parametrize("share", [-1, 1001, "3", True])
def test_a_share_is_a_share(share: Any) -> None:
    with pytest.raises(InvalidPolicy, match="sample_per_mille"):
        policy(sample_per_mille=share)


def test_a_note_can_be_neither_empty_nor_changed() -> None:
    case = ask("pay_1", amount=500_000, to="US").case
    with pytest.raises(InvalidCaseNote):
        add_case_note(case=case, actor="user:1", note=" \n ")
    add_case_note(case=case, actor="user:1", note="Called\nthem")
    assert [note.text for note in cases.notes_of(case)] == ["Called them"]
    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        CaseNote.objects.update(text="never")


def test_the_page_of_reviewers() -> None:
    max_ = person("risk manager", "max")
    assert "No second look yet" in max_.get(reverse("review-people")).content.decode()
    decide(ask("pay_1", amount=500_000, to="US").case, approve=True)
    assert 'data-actor="user:1"' in max_.get(reverse("review-people")).content.decode()
    assert person("support", "sam").get(reverse("review-people")).status_code == 403


def test_the_page_says_how_far_reviewers_agree() -> None:
    """Of four second looks three say the same; by chance two would (1*2 + 3*2 of 16), so kappa is a half."""
    policy(second_look_per_mille=1000)
    for number, (first, second) in enumerate([(True, True), (True, True), (False, False), (True, False)]):
        case = ask(f"pay_{number}", amount=500_000, to="US", customer=f"cus_{number}").case
        RiskCase.objects.filter(subject=f"pay_{number}").update(
            claimed_at=timezone.now() - timedelta(minutes=9), opened_at=timezone.now() - timedelta(minutes=9)
        )
        decide(case, approve=first, actor="user:1")
        look = RiskCase.objects.get(kind="second", subject=f"pay_{number}")
        judge_case(case=look.public_id, approve=second, actor="user:2", reason="again")
    page = person("risk manager", "max").get(reverse("review-people")).text
    assert "4 second looks, 3 of them as the first (75 %)." in page and "kappa is 50 %" in page
    verdicts = page.split('data-testid="verdicts"')[1].split("</table>")[0]
    assert re.findall(r">(\d+)</td>", verdicts) == ["2", "1", "0", "1"]
    assert "9 min" in page and "a colleague said the same 3 of 4 times" in page
