"""What a policy must answer, whatever version of it comes next; and rules that have an owner and an end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from ledger.selectors import audit_trail
from risk import policies, selectors, starting
from risk.errors import (
    DecisionNotFound,
    ExpectationNotFound,
    ExpectationsNotMet,
    InvalidExpectation,
    InvalidRule,
    ReasonMissing,
)
from risk.expectations import checked, unmet
from risk.facts import Verdict
from risk.models import Expectation, Policy, PolicySwitch, RollOut
from risk.rules import canonical, judge, outcome
from risk.selectors import parse_policy
from risk.services.activate_policy import activate_policy
from risk.services.assess import assess
from risk.services.draft_policy import draft_policy
from risk.services.end_expectation import end_expectation
from risk.services.keep_expectation import keep_expectation
from risk.services.start_roll_out import start_roll_out
from risk.sketches import inputs_of_sketch
from tests.reconciliation.operators import person
from tests.risk.makers import NOON, facts

pytestmark = pytest.mark.django_db(transaction=True)
ANA, MAX = "user:1", "user:2"
HOME = "/console/risk/policies/"


def asked(subject: str = "pay_1", amount: int = 10_000, **others: Any) -> Verdict:
    with transaction.atomic():
        return assess(facts=facts(amount, subject=subject, **others))


@pytest.fixture
def reviewed() -> Verdict:
    """Decided by the policy that ships: a domestic card, goods to the United States."""
    verdict = asked(amount=500_000, to="US")
    assert (verdict.action, verdict.policy) == ("review", "starting@3")
    return verdict


def rule(name: str, **changes: Any) -> dict[str, Any]:
    return starting.RULES[0] | {"id": name, "expression": "payment.amount >= 0", "weight": 70} | changes


def draft(*rules: dict[str, Any]) -> str:
    return draft_policy(
        name="starting",
        rules=rules,
        thresholds=starting.THRESHOLDS,
        limits=starting.LIMITS,
        rates=starting.RATES,
        actor=ANA,
    )


def expect(**asked: Any) -> str:
    given: dict[str, Any] = {"policy": "starting", "label": "Forwarders are looked at", "actor": ANA}
    return keep_expectation(**given | asked)


class TestExpectations:
    def test_a_stored_decision_must_stay_reviewed(self, reviewed: Verdict) -> None:
        expect(decision=reviewed.decision, must="action", value="review")
        lax = draft(rule("nothing", expression="false"))
        with pytest.raises(ExpectationsNotMet, match="Forwarders are looked at"):
            activate_policy(policy=lax, actor=MAX, reason="Simpler")
        with pytest.raises(ExpectationsNotMet):
            start_roll_out(policy=lax, share=100, budget=5, actor=MAX, reason="A few")
        assert Policy.objects.get(state="ACTIVE").version == 3
        assert not PolicySwitch.objects.exists() and not RollOut.objects.exists()
        assert Policy.objects.named(lax).get().state == "DRAFT"
        assert activate_policy(policy=draft(rule("all")), actor=MAX, reason="Strict") == "starting@3"

    def test_it_may_be_waived_with_a_reason_that_is_kept(self, reviewed: Verdict) -> None:
        expect(decision=reviewed.decision, must="action", value="review")
        lax = draft(rule("nothing", expression="false"))
        activate_policy(policy=lax, actor=MAX, reason="Simpler", waived="We deliver there ourselves now")
        assert PolicySwitch.objects.get().waived == "We deliver there ourselves now"
        row = Policy.objects.named(lax).get()
        [told] = [one for one in audit_trail(row.public_id) if one.action == "expectations.waived"]
        assert (told.actor, told.before, told.after) == (
            MAX,
            ["Forwarders are looked at"],
            "We deliver there ourselves now",
        )

    def test_a_waiver_that_nobody_needed_is_none(self, reviewed: Verdict) -> None:
        activate_policy(policy=draft(rule("all")), actor=MAX, reason="Strict", waived="In case")
        assert PolicySwitch.objects.get().waived == ""

    def test_an_example_must_or_must_not_hit_a_rule(self, reviewed: Verdict) -> None:
        ring = {"graph": {"ring_score": 40, "same_card": 6}, "customer": {"paid_orders": 0}}
        expect(example=ring, must="hit", value="ring")
        expect(example={"amount": 900_000}, must="miss", value="ring")
        expect(example={"signals": {"card_count_1h": 30}}, must="miss", value="nothing_of_the_kind")
        good = rule("ring", expression="graph.ring_score >= 20 && graph.same_card > 5")
        fits, fails = (
            parse_policy(Policy.objects.named(draft(one)).get())
            for one in (good, rule("ring", expression="payment.amount_cny > 800000"))
        )
        assert unmet(fits, "starting") == [] and len(checked(fits, "starting")) == 3
        assert [(one.must, one.action, one.fired) for one in unmet(fails, "starting")] == [
            ("hit", "accept", []),
            ("miss", "review", ["ring"]),
        ]

    def test_what_is_expected_no_more_holds_nobody_up(self, reviewed: Verdict) -> None:
        kept = expect(decision=reviewed.decision, must="action", value="review")
        with pytest.raises(ReasonMissing):
            end_expectation(expectation=kept, actor=MAX, reason=" ")
        end_expectation(expectation=kept, actor=MAX, reason="We deliver there now")
        with pytest.raises(ExpectationNotFound):
            end_expectation(expectation=kept, actor=MAX, reason="Again")
        activate_policy(policy=draft(rule("nothing", expression="false")), actor=MAX, reason="Simpler")
        assert [one.action for one in audit_trail(kept)] == ["expectation.kept", "expectation.ended"]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"must": "action", "value": "perhaps", "example": {"amount": 1}},
            {"must": "hit", "value": "Not A Rule", "example": {"amount": 1}},
            {"must": "hit", "value": "ring"},
            {"must": "hit", "value": "ring", "example": {"colour": "red"}},
            {"must": "hit", "value": "ring", "example": {"amount": "much"}},
            {"must": "hit", "value": "ring", "example": {"signals": {"zodiac": 1}}},
            {"must": "hit", "value": "ring", "example": {"customer": 3}},
            {"must": "hit", "value": "ring", "example": {"happened_at": "noon"}},
            {"must": "hit", "value": "ring", "example": {"amount": 1}, "policy": "no-such"},
            {"must": "hope", "value": "ring", "example": {"amount": 1}},
        ],
    )
    def test_what_can_not_be_judged_is_refused(self, reviewed: Verdict, wrong: dict[str, Any]) -> None:
        with pytest.raises(InvalidExpectation):
            expect(**wrong)
        with pytest.raises(DecisionNotFound):
            expect(must="action", value="review", decision="dec_" + "0" * 26)
        assert not Expectation.objects.exists()


class TestEnds:
    def test_a_rule_fires_until_its_last_day_and_not_after(self) -> None:
        asked()
        name = draft(rule("until", expires_on="2026-03-02", owner="ana"))
        document = parse_policy(Policy.objects.named(name).get())
        assert document.rules[0].owner == "ana"

        def at(moment: datetime) -> str:
            return str(judge(document, inputs_of_sketch({"happened_at": moment.isoformat()})).action)

        last = datetime(2026, 3, 2, 15, 59, tzinfo=UTC)  # a minute to midnight in China
        assert (at(NOON), at(last), at(last + timedelta(minutes=2))) == ("review", "review", "accept")

    def test_it_is_judged_by_the_payments_moment_so_that_it_replays(self) -> None:
        asked()
        ends = timezone.now().date() + timedelta(days=1)
        activate_policy(
            policy=draft(rule("until", expires_on=ends.isoformat())), actor=MAX, reason="For the sale"
        )
        before = asked("pay_2", happened_at=timezone.now())
        after = asked("pay_3", happened_at=timezone.now() + timedelta(days=3))
        assert (before.action, after.action) == ("review", "accept")
        for verdict in (before, after):
            assert selectors.replay(verdict.decision).same

    def test_a_rule_without_an_end_is_judged_as_before(self) -> None:
        with_owner, without = (
            policies.parse(
                name="p@1",
                rules=[rule("all", **more)],
                thresholds=starting.THRESHOLDS,
                limits={},
                rates={},
            )
            for more in ({"owner": "ana", "expires_on": ""}, {})
        )
        inputs = inputs_of_sketch({"amount": 5})
        assert canonical(outcome(judge(with_owner, inputs))) == canonical(outcome(judge(without, inputs)))

    @pytest.mark.parametrize("more", [{"expires_on": "soon"}, {"expires_on": 3}, {"owner": 3}, {"mood": ""}])
    def test_nonsense_is_refused_at_the_rule(self, more: dict[str, Any]) -> None:
        with pytest.raises(InvalidRule) as refused:
            draft(rule("until", **more))
        assert refused.value.param == "until"


class TestPages:
    def test_expected_tried_waived_and_ended(self, reviewed: Verdict) -> None:
        ana, max_ = person("risk analyst"), person("risk manager")
        page = f"{HOME}{draft(rule('nothing', expression='false'))}/"
        kept = {"do": "expect", "reason": "Forwarders <b>", "must": "action", "value": "review"}
        assert "is no JSON" in ana.post(page, kept | {"example": "{"}, follow=True).text
        ana.post(page, kept | {"decision": reviewed.decision})
        shown = max_.get(page).text
        assert "Forwarders &lt;b&gt;" in shown and 'data-met="no"' in shown and "found: accept" in shown
        assert "One expectation is not met" in shown and 'name="waived"' in shown
        told = max_.post(page, {"do": "activate", "reason": "Now"}, follow=True).text
        assert "1 expectations are not met" in told and Policy.objects.get(state="ACTIVE").version == 3
        max_.post(page, {"do": "activate", "reason": "Now", "waived": "Our own vans"})
        assert "Our own vans" in max_.get(HOME).text and Policy.objects.get(state="ACTIVE").version == 4
        ending = {"do": "unexpect", "expectation": Expectation.objects.get().public_id, "reason": "Vans"}
        assert person("support").post(page, ending).status_code == 403
        ana.post(page, ending)
        assert 'data-met="no"' not in max_.get(page).text

    def test_ends_are_warned_of_two_weeks_before(self, reviewed: Verdict) -> None:
        today = timezone.now().astimezone(NOON.tzinfo).date()
        days = {"soon": 14, "later": 20, "over": -3}
        rules = [rule(name, expires_on=(today + timedelta(days=n)).isoformat()) for name, n in days.items()]
        activate_policy(policy=draft(*rules), actor=MAX, reason="For the sale")
        ana = person("risk analyst")
        home = ana.get(HOME).text
        assert "The rule over has ended" in home and "The rule later" not in home
        assert "The rule soon ends in 1" in home
        page = ana.get(f"{HOME}starting@4/").text
        assert "ends soon" in page and "ended" in page
