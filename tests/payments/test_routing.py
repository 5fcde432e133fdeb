"""The choice of a channel: pure, the same for the same facts, and explained."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.errors import InvalidRoutingPolicy
from payments.measures import BreakerRule, BreakerState, smoothed
from payments.policies import parse
from payments.routing import Candidate, Case, RoutingDocument, RoutingRule, route

CHANNELS = ("alipay", "stripe", "wechat")
CASE = Case(reference="ord_1", method="alipay", amount=10_000, currency="CNY", country="CN", device="desktop")
DOCUMENT = RoutingDocument(name="test@1")


def two(**changes: Any) -> list[Candidate]:
    """Alipay before Stripe, as the settings prefer; `changes` are Alipay's."""
    return [
        replace(Candidate(channel="alipay", position=0, weight=100, fee_bps=60), **changes),
        Candidate(channel="stripe", position=1, fee_bps=340, fee_fixed=200),
    ]


def ruled(then: str, when: str = "payment.amount > 5000", *channels: str) -> RoutingDocument:
    return replace(
        DOCUMENT,
        rules=(RoutingRule(id="big", when=when, then=then, channels=channels or ("stripe",)),),
    )


candidates = st.lists(
    st.builds(
        Candidate,
        channel=st.sampled_from(CHANNELS),
        position=st.integers(0, 2),
        configured=st.booleans(),
        on=st.booleans(),
        weight=st.integers(0, 100),
        capabilities=st.frozensets(st.sampled_from(["void", "refund"])),
        currencies=st.frozensets(st.sampled_from(["CNY", "USD"])),
        countries=st.frozensets(st.sampled_from(["CN", "US"])),
        least=st.integers(0, 20_000),
        most=st.none() | st.integers(0, 20_000),
        fee_bps=st.integers(0, 1000),
        fee_fixed=st.integers(0, 500),
        measured=st.none() | st.integers(0, 1000),
        breaker=st.sampled_from(BreakerState),
    ),
    unique_by=lambda candidate: candidate.channel,
)
cases = st.builds(
    Case,
    reference=st.integers(0, 999).map("ord_{}".format),
    method=st.just("alipay"),
    amount=st.integers(0, 20_000),
    currency=st.sampled_from(["CNY", "USD", "EUR"]),
    country=st.sampled_from(["", "CN", "US"]),
    needs=st.frozensets(st.sampled_from(["void", "refund"])),
    bound_to=st.sampled_from(["", *CHANNELS]),
)
documents = st.builds(
    RoutingDocument,
    name=st.just("any@1"),
    cost=st.integers(0, 50),
    success=st.integers(0, 50),
    rules=st.lists(
        st.builds(
            RoutingRule,
            id=st.sampled_from(["a", "b"]),
            when=st.sampled_from(["true", "false", "payment.amount > 5000", "payment.nothing == 1"]),
            then=st.sampled_from(["prefer", "exclude", "only"]),
            channels=st.lists(st.sampled_from(CHANNELS), min_size=1, unique=True).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
)


class TestAnyFacts:
    @given(documents, cases, candidates)
    def test_each_candidate_is_either_eligible_or_left_out_for_a_reason(
        self, document: RoutingDocument, case: Case, known: list[Candidate]
    ) -> None:
        found = route(document, case, known)
        assert sorted([*found.eligible, *found.left_out]) == sorted(one.channel for one in known)
        assert all(found.left_out.values())
        assert set(found.points) == set(found.eligible)

    @given(documents, cases, candidates, st.randoms())
    def test_the_order_in_which_candidates_are_told_changes_nothing(
        self, document: RoutingDocument, case: Case, known: list[Candidate], dice: Any
    ) -> None:
        told = list(known)
        dice.shuffle(told)
        known = [replace(one, position=at) for at, one in enumerate(sorted(known, key=lambda c: c.channel))]
        position = {one.channel: one.position for one in known}
        shuffled = [replace(one, position=position[one.channel]) for one in told]
        assert route(document, case, known) == route(document, case, shuffled)

    @given(documents, cases, candidates)
    def test_what_can_not_serve_is_never_chosen(
        self, document: RoutingDocument, case: Case, known: list[Candidate]
    ) -> None:
        by_name = {one.channel: one for one in known}
        for name in route(document, case, known).eligible:
            one = by_name[name]
            assert one.configured and one.on and one.breaker != BreakerState.OPEN
            assert case.needs <= one.capabilities
            assert case.bound_to in ("", name)
            assert one.least <= case.amount <= (one.most if one.most is not None else case.amount)
            assert not one.currencies or case.currency in one.currencies

    @given(documents, cases, candidates)
    def test_more_success_never_costs_a_channel_its_place(
        self, document: RoutingDocument, case: Case, known: list[Candidate]
    ) -> None:
        before = route(document, case, known).eligible
        for one in known:
            if one.measured is None or one.channel not in before:
                continue
            better = [replace(other, measured=1000) if other is one else other for other in known]
            after = route(document, case, better).eligible
            assert after.index(one.channel) <= before.index(one.channel)


class TestOrder:
    def test_without_a_policy_the_settings_prefer(self) -> None:
        found = route(DOCUMENT, CASE, two())
        assert found.eligible == ("alipay", "stripe")
        assert found.record("alipay")["left_out"] == {}

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"configured": False}, "not configured"),
            ({"on": False}, "switched off"),
            ({"currencies": frozenset({"USD"})}, "not in CNY"),
            ({"countries": frozenset({"US"})}, "not for CN"),
            ({"least": 10_001}, "below 10001"),
            ({"most": 9_999}, "above 9999"),
            ({"breaker": BreakerState.OPEN}, "breaker open"),
        ],
    )
    def test_a_reason_is_kept_for_each_that_is_left_out(self, changes: dict[str, Any], reason: str) -> None:
        found = route(DOCUMENT, CASE, two(**changes))
        assert (found.eligible, found.left_out) == (("stripe",), {"alipay": reason})

    def test_an_instrument_goes_nowhere_but_to_its_channel(self) -> None:
        found = route(DOCUMENT, replace(CASE, bound_to="stripe"), two())
        assert found.left_out == {"alipay": "the instrument belongs to stripe"}

    def test_only_what_can_do_what_is_needed(self) -> None:
        found = route(
            DOCUMENT, replace(CASE, needs=frozenset({"void"})), two(capabilities=frozenset({"void"}))
        )
        assert found.left_out == {"stripe": "can not void"}

    def test_rules_prefer_exclude_and_insist(self) -> None:
        assert route(ruled("prefer"), CASE, two()).eligible == ("stripe", "alipay")
        assert route(ruled("exclude"), CASE, two()).left_out == {"stripe": "rule big"}
        assert route(ruled("only"), CASE, two()).left_out == {"alipay": "rule big"}
        assert route(ruled("only", "payment.amount > 10000"), CASE, two()).eligible == ("alipay", "stripe")

    def test_a_rule_that_fails_is_named_and_changes_nothing(self) -> None:
        found = route(ruled("exclude", "payment.nothing == 1"), CASE, two())
        assert (found.rules, found.eligible) == (("big (failed)",), ("alipay", "stripe"))

    def test_shares_follow_the_weights_and_the_reference(self) -> None:
        known = two(weight=70)
        known[1] = replace(known[1], weight=30)
        firsts = [
            route(DOCUMENT, replace(CASE, reference=f"ord_{number}"), known).eligible[0]
            for number in range(2000)
        ]
        assert 0.66 < firsts.count("alipay") / len(firsts) < 0.74
        assert firsts[7] == route(DOCUMENT, replace(CASE, reference="ord_7"), known).eligible[0]

    def test_cost_and_success_move_the_order_as_far_as_the_policy_says(self) -> None:
        dear = two(fee_bps=1000)
        assert route(DOCUMENT, CASE, dear).eligible[0] == "alipay"
        assert route(replace(DOCUMENT, cost=3), CASE, dear).eligible[0] == "stripe"
        worse = two(measured=700)
        worse[1] = replace(worse[1], measured=990)
        assert route(replace(DOCUMENT, success=3), CASE, worse).eligible[0] == "alipay"
        assert route(replace(DOCUMENT, success=4), CASE, worse).eligible[0] == "stripe"

    def test_who_was_not_measured_is_not_held_to_be_worse(self) -> None:
        known = two()
        known[1] = replace(known[1], measured=990)
        assert route(replace(DOCUMENT, success=100), CASE, known).eligible[0] == "alipay"


class TestMeasures:
    def test_too_few_say_nothing(self) -> None:
        assert smoothed({0: (19, 19)}, least=20) is None
        assert smoothed({0: (19, 19), 20: (100, 0)}, least=20) is None
        assert smoothed({}, least=0) is None

    def test_what_is_recent_counts_more(self) -> None:
        late, early = smoothed({0: (50, 0), 14: (50, 50)}, 20), smoothed({0: (50, 50), 14: (50, 0)}, 20)
        assert late is not None and early is not None
        assert (late < 200, early > 800) == (True, True)

    def test_a_breaker_needs_enough_calls_and_enough_faults(self) -> None:
        rule = BreakerRule(least=5, fault_share=500)
        assert not rule.trips(4, 4)
        assert not rule.trips(10, 4)
        assert rule.trips(10, 5)


class TestPolicies:
    RULE = {"id": "big", "when": "payment.amount > 1", "then": "only", "channels": ["stripe"], "why": "Cheap"}
    POINTS = {"cost": 1, "success": 1, "least": 20}

    def test_a_whole_document_is_read(self) -> None:
        read = parse(name="shop@3", rules=[self.RULE], points=self.POINTS, channels=CHANNELS)
        assert (read.name, read.seed, read.least, read.rules[0].channels) == (
            "shop@3",
            "shop",
            20,
            ("stripe",),
        )

    @pytest.mark.parametrize(
        ("changed", "param"),
        [
            ({"id": "Big"}, "rules[0]"),
            ({"when": "payment.amount +"}, "big"),
            ({"when": "payment.colour == 'red'"}, "big"),
            ({"when": "payment.amount"}, "big"),
            ({"then": "maybe"}, "big"),
            ({"channels": ["paypal"]}, "big"),
            ({"channels": []}, "big"),
            ({"more": 1}, "big"),
        ],
    )
    def test_what_can_not_be_used_is_refused_when_it_is_written(
        self, changed: dict[str, Any], param: str
    ) -> None:
        with pytest.raises(InvalidRoutingPolicy) as refused:
            parse(name="x@1", rules=[{**self.RULE, **changed}], points=self.POINTS, channels=CHANNELS)
        assert refused.value.param == param

    @pytest.mark.parametrize("points", [{}, {"cost": 1}, {"cost": -1, "success": 0, "least": 0}])
    def test_points_are_whole_and_not_negative(self, points: dict[str, int]) -> None:
        with pytest.raises(InvalidRoutingPolicy):
            parse(name="x@1", rules=[], points=points, channels=CHANNELS)
