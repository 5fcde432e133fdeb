"""Routing policies: written by one person, replayed, switched on by another, and they route at once."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import Error, transaction
from django.utils import timezone

from payments.errors import (
    InvalidChannelSwitch,
    InvalidRoutingPolicy,
    RoutingPolicyNotFound,
    RoutingPolicyNotSwitchable,
    SecondPersonNeeded,
)
from payments.models import Attempt, ChannelSwitch, Payment, RoutingPolicy
from payments.replays import replay
from payments.services.activate_routing_policy import activate_routing_policy
from payments.services.draft_routing_policy import draft_routing_policy
from payments.services.retire_routing_policy import retire_routing_policy
from payments.services.switch_channel import switch_channel
from tests.payments.conftest import Till

POINTS = {"cost": 0, "success": 0, "least": 20}
BIG_TO_STRIPE = {
    "id": "big",
    "when": "payment.amount > 5000 && payment.country == 'CN'",
    "then": "only",
    "channels": ["stripe"],
    "why": "Alipay limits large sums",
}


def draft(*rules: dict[str, Any], **points: int) -> str:
    return draft_routing_policy(name="shop", rules=rules, points={**POINTS, **points}, actor="user:1")


def activate(policy: str, actor: str = "user:2") -> str:
    return activate_routing_policy(policy=policy, actor=actor, reason="agreed")


def test_an_active_policy_routes_from_the_next_payment_on(till: Till) -> None:
    policy = draft(BIG_TO_STRIPE)
    assert till.pay("alipay").channel == "alipay"
    assert activate(policy) == ""
    big, small = till.pay("alipay"), till.pay("alipay", fen=5000)
    assert (big.channel, small.channel) == ("stripe", "alipay")
    route = Attempt.objects.get(payment__reference=big.reference).route
    assert (route["policy"], route["rules"], route["left_out"]) == (
        "shop@1",
        ["big"],
        {"alipay": "rule big"},
    )
    assert retire_routing_policy(actor="user:2", reason="enough") == "shop@1"
    assert till.pay("alipay").channel == "alipay"


@pytest.mark.usefixtures("transactional_db")
class TestActivation:
    def test_nobody_activates_their_own(self) -> None:
        policy = draft()
        with pytest.raises(SecondPersonNeeded):
            activate(policy, actor="user:1")
        assert RoutingPolicy.objects.get().state == "DRAFT"

    def test_one_is_active_and_a_retired_one_returns(self) -> None:
        first, second = draft(), draft(BIG_TO_STRIPE)
        activate(first)
        assert activate(second) == first
        assert activate(first) == second
        states = {str(row): row.state for row in RoutingPolicy.objects.all()}
        assert states == {first: "ACTIVE", second: "RETIRED"}
        with pytest.raises(RoutingPolicyNotSwitchable):
            activate(first)
        with pytest.raises(RoutingPolicyNotFound):
            activate("shop@9")

    def test_what_was_active_is_frozen(self) -> None:
        activate(draft())
        with pytest.raises(Error), transaction.atomic():
            RoutingPolicy.objects.update(rules=[BIG_TO_STRIPE])

    def test_a_draft_that_can_not_be_read_is_not_activated(self) -> None:
        with pytest.raises(InvalidRoutingPolicy):
            draft({**BIG_TO_STRIPE, "when": "payment.amount >"})
        policy = draft()
        RoutingPolicy.objects.update(rules=[{"id": "by hand"}])
        with pytest.raises(InvalidRoutingPolicy):
            activate(policy)
        with pytest.raises(RoutingPolicyNotSwitchable):
            retire_routing_policy(actor="user:2", reason="none")


class TestReplay:
    def test_it_says_what_would_change_and_changes_nothing(self, till: Till) -> None:
        kept, moved = till.pay("alipay", fen=5_000), till.pay("alipay", fen=10_000)
        policy = draft(BIG_TO_STRIPE)
        before = list(Payment.objects.values()), list(Attempt.objects.values())

        found = replay(policy, timezone.now() - timedelta(hours=24))

        assert (found.payments, found.moved, found.unserved) == (2, 1, 0)
        assert found.flows == {("alipay", "alipay"): 1, ("alipay", "stripe"): 1}
        [one] = found.listed
        assert (one.reference, one.before, one.after, one.because) == (
            moved.reference,
            "alipay",
            "stripe",
            "rule big",
        )
        # 0.6 % of 100 CNY; 3.4 % and 2 CNY
        assert found.cost_difference() == {"CNY": 540 - 60}
        assert kept.reference != one.reference
        assert (list(Payment.objects.values()), list(Attempt.objects.values())) == before

    def test_the_policy_that_decided_moves_nothing(self, till: Till) -> None:
        activate(draft(BIG_TO_STRIPE))
        for fen in (4_000, 6_000):
            till.pay("alipay", fen=fen)
        till.pay("card")
        found = replay("shop@1", timezone.now() - timedelta(hours=1))
        assert (found.payments, found.moved, found.success_before) == (3, 0, 1000)
        assert replay("shop@1", timezone.now()).payments == 0

    def test_nobody_left_is_told(self, till: Till) -> None:
        till.pay("card")
        policy = draft({**BIG_TO_STRIPE, "then": "exclude"})
        found = replay(policy, timezone.now() - timedelta(hours=1))
        assert (found.moved, found.unserved, found.listed[0].after) == (1, 1, "")

    def test_the_command_prints_it(self, till: Till) -> None:
        till.pay("alipay")
        printed = StringIO()
        call_command("replay_routing", policy=draft(BIG_TO_STRIPE), stdout=printed)
        assert "would go elsewhere: 1; nobody would serve: 0" in printed.getvalue()
        assert "alipay → stripe: 1" in printed.getvalue()
        with pytest.raises(CommandError):
            call_command("replay_routing", policy="shop@9")


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.parametrize(
    ("channel", "method", "changes"),
    [
        ("paypal", "", {"on": False}),
        ("wechat", "alipay", {"on": False}),
        ("alipay", "", {"on": "no"}),
        ("alipay", "", {"weight": 1001}),
        ("alipay", "", {"currencies": ["YUAN"]}),
        ("alipay", "", {"countries": ["China"]}),
        ("alipay", "", {"bounds": {"CNY": {"most": -1}}}),
        ("alipay", "", {"fees": {"bps": 1.5}}),
        ("alipay", "", {"colour": "red"}),
    ],
)
def test_a_switch_that_makes_no_sense_is_refused(channel: str, method: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidChannelSwitch):
        switch_channel(channel=channel, method=method, changes=changes, actor="user:1", reason="x")
    assert not ChannelSwitch.objects.exists()
