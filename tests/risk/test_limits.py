"""Limits beyond one payment and one day, and that nobody gets over one by asking often at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction

from ledger.wire import Statement
from risk import evidence, policies, selectors, starting
from risk.errors import InvalidPolicy
from risk.facts import PaymentFacts, Verdict
from risk.models import LimitUse
from risk.services.activate_policy import activate_policy
from risk.services.assess import assess
from risk.services.draft_policy import draft_policy
from risk.services.release_limit import release_limit
from tests.risk.makers import NOON, facts

FULL: dict[str, Any] = {
    "0": {"payment": 0, "day": 0},
    "1": {
        "payment": 100_000,
        "day": 100_000,
        "month": 150_000,
        "attempts_per_minute": 5,
        "new_merchants_per_day": 2,
        "channels": {"alipay": {"day": 30_000, "month": 40_000}, "stripe": {"payment": 50_000}},
    },
    "2": {"payment": 1_000_000, "day": 1_000_000},
}


def decides(limits: dict[str, Any], **thresholds: int) -> None:
    """A policy with the starting rules and these limits decides."""
    drafted = draft_policy(
        name="limited",
        rules=starting.RULES,
        thresholds={**starting.THRESHOLDS, **thresholds},
        limits=limits,
        rates=starting.RATES,
        actor="test",
    )
    activate_policy(policy=drafted, actor="second", reason="limits")


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def spend(amount: int, number: int, **others: Any) -> Verdict:
    with transaction.atomic():
        return assess(facts=facts(amount, level=1, subject=f"pay_{number}", **others))


@pytest.fixture
def limited(transactional_db: None) -> None:
    decides(FULL)


class TestEachLimit:
    def test_a_month_adds_up_over_its_days(self, limited: None) -> None:
        later = [NOON + timedelta(days=days) for days in range(3)]
        assert spend(80_000, 1, happened_at=later[0]).action == "accept"
        assert spend(70_000, 2, happened_at=later[1]).action == "accept"
        over = spend(1, 3, happened_at=later[2])
        assert (over.action, codes(over)) == ("reject", ["limit_per_month"])
        assert "CN¥1,500.01" in over.reasons[0].text
        chinese = selectors.decision(over.decision, locale="zh-hans")
        assert "当月累计" in chinese.reasons[0].text
        assert spend(1, 4, happened_at=NOON + timedelta(days=31)).action == "accept"

    def test_attempts_of_a_minute_count_whatever_became_of_them(self, limited: None) -> None:
        for number in range(5):
            assert spend(100_001, number).action == "reject"
        sixth = spend(100, 6)
        assert codes(sixth) == ["limit_attempts"] and "attempt 6" in sixth.reasons[0].text
        assert spend(100, 7, happened_at=NOON + timedelta(seconds=61)).action == "accept"

    def test_new_merchants_of_a_day(self, limited: None) -> None:
        assert spend(100, 1, merchant="m-old").action == "accept"
        tomorrow = NOON + timedelta(days=1)
        for number, name in enumerate(("m-old", "m-1", "m-1", "m-2"), 2):
            assert spend(100, number, merchant=name, happened_at=tomorrow).action == "accept"
        tomorrow += timedelta(minutes=2)
        third = spend(100, 7, merchant="m-3", happened_at=tomorrow)
        assert codes(third) == ["limit_new_merchants"] and "new merchant 3" in third.reasons[0].text
        assert spend(100, 8, merchant="m-2", happened_at=tomorrow).action == "accept"

    def test_a_channel_by_its_code_or_by_the_way_to_pay(self, limited: None) -> None:
        assert spend(30_000, 1, kind="alipay", channel="alipay").action == "accept"
        over = spend(1, 2, kind="alipay")
        assert codes(over) == ["limit_channel_day"] and "through Alipay" in over.reasons[0].text
        assert codes(spend(50_001, 3, channel="stripe")) == ["limit_channel_payment"]
        assert spend(50_000, 4, channel="unionpay").action == "accept"
        next_day = spend(10_001, 5, kind="alipay", happened_at=NOON + timedelta(days=1))
        assert codes(next_day) == ["limit_channel_month"]

    def test_a_level_of_nothing_refuses_a_known_customer_and_no_guest(self, limited: None) -> None:
        with transaction.atomic():
            assert codes(assess(facts=facts(1, level=0))) == ["limit_per_payment", "limit_per_day"]
            assert assess(facts=facts(1, level=0, customer="")).action == "accept"
        assert not LimitUse.objects.exists()

    def test_what_moved_no_money_gives_all_of_it_back(self, limited: None) -> None:
        for number, name in enumerate(("m-1", "m-2")):
            spend(40_000, number, merchant=name, kind="card", channel="unionpay")
        third = facts(40_000, level=1, subject="pay_9", merchant="m-3")
        with transaction.atomic():
            assert set(codes(assess(facts=third))) == {"limit_new_merchants", "limit_per_day"}
            assert release_limit(subject="pay_0")
            assert assess(facts=third).action == "accept"
        assert LimitUse.objects.get(subject="pay_9").new_merchant

    def test_decisions_replay_with_what_was_used_up(self, limited: None) -> None:
        verdict = spend(60_000, 1, kind="alipay", merchant="m-1")
        LimitUse.objects.all().delete()
        assert selectors.replay(verdict.decision).same


class TestDocument:
    def test_old_limits_are_read_as_before(self) -> None:
        read = policies.parse(
            name="old@1",
            rules=[],
            thresholds=starting.THRESHOLDS,
            limits=starting.LIMITS,
            rates={},
        )
        assert read.limits[1].month is None and not read.limits[1].channels

    @pytest.mark.parametrize(
        "change",
        [
            {"month": -1},
            {"attempts_per_minute": "5"},
            {"weeks": 1},
            {"channels": []},
            {"channels": {"alipay": {"hour": 1}}},
            {"channels": {"alipay": {"day": 1.5}}},
        ],
    )
    def test_what_it_does_not_know_is_refused(self, change: dict[str, Any]) -> None:
        limits = deepcopy(FULL)
        limits["1"] |= change
        with pytest.raises(InvalidPolicy) as refused:
            policies.parse(name="odd@1", rules=[], thresholds=starting.THRESHOLDS, limits=limits, rates={})
        assert refused.value.param == "limits"


def _at_once(asked: list[PaymentFacts]) -> int:
    """How many of them were accepted, all asked in the same moment."""

    def one(question: PaymentFacts) -> bool:
        try:
            with transaction.atomic():
                return assess(facts=question).action == "accept"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(50) as pool:
        return sum(pool.map(one, asked))


@pytest.fixture
def without_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    late = Statement("late", "SELECT pg_sleep(0.1 + 0 * %(lock)s::bigint)")
    monkeypatch.setattr(evidence, "_LOCK", late)


SPENDS = [
    replace(
        facts(10_000, level=1), subject=f"pay_{number}", happened_at=NOON - timedelta(microseconds=number)
    )
    for number in range(100)
]


@pytest.fixture
def room_for_ten(transactional_db: None) -> Iterator[None]:
    decides({"1": {"payment": 10_000, "day": 100_000}})
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE risk_limituse")


def test_without_the_lock_spends_at_once_go_over_the_limit(room_for_ten: None, without_lock: None) -> None:
    assert _at_once(SPENDS) > 10
    assert sum(LimitUse.objects.values_list("amount", flat=True)) > 100_000


def test_a_hundred_spends_at_once_never_go_over_the_limit(room_for_ten: None) -> None:
    assert _at_once(SPENDS) == 10
    assert sum(LimitUse.objects.values_list("amount", flat=True)) == 100_000


def test_a_hundred_attempts_at_once_never_go_over_theirs(transactional_db: None) -> None:
    decides({"1": {"payment": 10_000, "day": 10**9, "attempts_per_minute": 10}})
    assert _at_once(SPENDS) == 10
