"""The operation on a real database: what it answers, stores, counts and holds back."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo, available_timezones

import pgtrigger
import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from risk import selectors
from risk.facts import AddressFacts, CustomerFacts, DeviceFacts, InstrumentFacts, PaymentFacts
from risk.models import Decision, LimitUse, Policy, RiskCase
from risk.services.assess import assess
from risk.services.release_limit import release_limit
from tests.risk.makers import NOON, facts
from tests.round_trips import round_trips

pytestmark = pytest.mark.django_db

CASES = {
    "normal": (facts(10_000), "accept", "LOW", 0),
    "large, new": (facts(800_000, paid_orders=0, card="US"), "challenge", "MEDIUM", 60),
    "cross-border": (facts(500_000, card="CN", to="US"), "review", "HIGH", 65),
    "alipay": (facts(20_000, kind="alipay", card="", paid_orders=0), "accept", "LOW", 15),
    "wechat": (facts(20_000, kind="wechat_pay", card="", paid_orders=3), "accept", "LOW", 0),
}


@pytest.mark.parametrize("name", CASES)
def test_the_four_cases_come_out_as_the_source_document_says(name: str) -> None:
    asked, action, level, score = CASES[name]
    verdict = assess(facts=asked)
    assert (verdict.action, verdict.level, verdict.score) == (action, level, score)
    assert verdict.policy == "starting@3"
    assert bool(verdict.explanation) == (score > 30)
    assert bool(verdict.case) == (action == "review")


def test_a_review_opens_a_case_with_half_an_hour_and_words() -> None:
    verdict = assess(facts=facts(500_000, to="US"))
    case = selectors.case_of(verdict.case)
    assert case.state == "OPEN" and case.subject == "pay_1" and case.decision.id == verdict.decision
    assert case.decide_by - case.opened_at == timedelta(minutes=30) and verdict.decide_by == case.decide_by
    assert "a person must decide" in case.decision.explanation
    assert "CN¥5,000.00" in case.decision.explanation
    chinese = selectors.case_of(verdict.case, locale="zh-hans").decision
    assert "须人工审核" in chinese.explanation and "美国" in chinese.reasons[0].text


def test_a_second_review_of_the_same_payment_joins_the_open_case() -> None:
    first = assess(facts=facts(500_000, to="US"))
    second = assess(facts=facts(500_000, to="US"))
    assert second.case == first.case and second.decision != first.decision
    assert RiskCase.objects.count() == 1


def test_a_wallet_can_not_be_challenged_so_a_person_looks() -> None:
    asked = facts(
        kind="alipay", card="", device=DeviceFacts(identifier="dev_1", is_proxy=True), paid_orders=0
    )
    assert assess(facts=replace(asked, amount=800_000)).action == "review"
    assert assess(facts=facts(800_000, paid_orders=0, device=asked.device)).action == "challenge"


def test_the_light_check_before_the_order_only_rejects() -> None:
    verdict = assess(facts=facts(500_000, to="US", stage="order", subject="ord_1"))
    assert (verdict.action, verdict.level, verdict.case) == ("accept", "HIGH", "")
    worst = facts(800_000, paid_orders=0, to="US", stage="order", subject="ord_1")
    assert assess(facts=worst).action == "reject"  # 20 + 15 + 25 + 40


def test_a_decision_stores_its_inputs_and_replays_after_reloading() -> None:
    for asked in (
        facts(800_000, paid_orders=0, card="US"),
        facts(500_000, to="US", level=2),
        facts(currency="BHD"),
    ):
        replay = selectors.replay(assess(facts=asked).decision)
        assert replay.same and replay.stored == replay.recomputed, replay
    row = Decision.objects.order_by("-id")[0]
    assert row.inputs["features"] == {
        "payments_last_minute": {"card": 3, "customer": 3, "device": 3},
        "spent_today": 0,  # the 5,000 CNY are the same payment's
    }
    assert "203.0.113.77" not in str(row.inputs) and row.inputs["facts"]["device"]["ip"] == "203.0.113.0/24"


def test_replay_needs_no_state_of_the_database() -> None:
    for _ in range(11):
        verdict = assess(facts=facts())
    assert [reason.code for reason in verdict.reasons] == ["high_frequency"]
    fast = verdict.decision
    LimitUse.objects.all().delete()
    with CaptureQueriesContext(connection) as queries:
        assert selectors.replay(fast).same
    assert len(queries) == 1


def test_a_decision_can_be_neither_changed_nor_deleted() -> None:
    verdict = assess(facts=facts())
    row = Decision.objects.get()
    for harm in (lambda: Decision.objects.update(score=1), lambda: Decision.objects.all().delete()):
        with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
            harm()
    assert Decision.objects.get().digest == row.digest and selectors.decision(verdict.decision).score == 0


def test_replay_shows_what_was_altered_behind_the_trigger() -> None:
    verdict = assess(facts=facts(500_000, to="US"))
    with pgtrigger.ignore("risk.Decision:append_only"):
        Decision.objects.update(score=5)
    replay = selectors.replay(verdict.decision)
    assert not replay.same and replay.fault == "digest"


def test_ten_payments_a_minute_pass_and_the_eleventh_is_challenged() -> None:
    for number in range(10):
        assert assess(facts=facts(subject=f"pay_{number}")).score == 0
    verdict = assess(facts=facts(subject="pay_11"))
    assert (verdict.action, verdict.score) == ("challenge", 45)
    later = assess(facts=facts(happened_at=NOON + timedelta(seconds=60)))
    assert later.score == 0


def test_a_card_and_a_device_are_followed_across_customers() -> None:
    for number in range(10):
        device = DeviceFacts(identifier=f"dev_{number}")
        assess(facts=facts(customer=f"cus_{number}", subject=f"pay_{number}", device=device))
    by_card = assess(facts=facts(customer="cus_x", device=DeviceFacts(identifier="dev_x")))
    assert [reason.code for reason in by_card.reasons] == ["high_frequency"]
    clean = facts(
        customer="cus_x", device=DeviceFacts(identifier="dev_y"), instrument=InstrumentFacts(kind="card")
    )
    assert assess(facts=clean).score == 0


def test_what_is_not_known_is_not_counted_together() -> None:
    nobody = replace(
        facts(), customer=CustomerFacts(paid_orders=1), device=DeviceFacts(), instrument=InstrumentFacts()
    )
    for _ in range(12):
        assert assess(facts=nobody).score == 0


@pytest.mark.parametrize(("level", "day"), [(1, 100_000), (2, 1_000_000), (3, 5_000_000)])
def test_daily_limit_by_verification_level(level: int, day: int) -> None:
    half = day // 2
    assert assess(facts=facts(half, level=level, subject="pay_1")).action == "accept"
    assert assess(facts=facts(day - half, level=level, subject="pay_2")).action == "accept"
    over = assess(facts=facts(1, level=level, subject="pay_3"))
    assert over.action == "reject" and [r.code for r in over.reasons] == ["limit_per_day"]
    tomorrow = facts(half, level=level, subject="pay_4", happened_at=NOON + timedelta(hours=12))
    assert assess(facts=tomorrow).action == "accept"


def test_one_payment_over_the_limit_is_refused_and_takes_nothing() -> None:
    verdict = assess(facts=facts(100_001, level=1))
    assert verdict.action == "reject"
    assert [r.code for r in verdict.reasons] == ["limit_per_payment", "limit_per_day"]
    assert "CN¥1,000.00" in verdict.reasons[0].text
    assert not LimitUse.objects.exists()


def test_trying_the_same_payment_again_takes_the_limit_once() -> None:
    for _ in range(3):
        assert assess(facts=facts(60_000, level=1)).action == "accept"
    assert LimitUse.objects.get().amount == 60_000


def test_a_closed_payment_gives_its_limit_back() -> None:
    assess(facts=facts(100_000, level=1))
    assert assess(facts=facts(100, level=1, subject="pay_2")).action == "reject"
    assert release_limit(subject="pay_1") and not release_limit(subject="pay_1")
    assert assess(facts=facts(100, level=1, subject="pay_2")).action == "accept"


def test_level_0_and_guests_have_no_limit() -> None:
    assert assess(facts=facts(400_000, level=0)).action == "accept"
    assert assess(facts=facts(400_000, customer="", level=1)).action == "accept"
    assert not LimitUse.objects.exists()


def test_other_currencies_count_by_their_rate_and_unknown_ones_say_so() -> None:
    assert assess(facts=facts(70_423, currency="USD")).score == 20  # 5,000.03 CNY
    assert assess(facts=facts(70_422, currency="USD")).score == 0  # 4,999.96 CNY
    assert assess(facts=facts(106_384, currency="JPY")).score == 20  # 5,000.05 CNY
    unknown = assess(facts=facts(1, currency="BHD"))
    assert [reason.code for reason in unknown.reasons] == ["currency_without_rate"]


def test_without_an_active_policy_the_one_that_ships_decides() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE risk_policy CASCADE")
    assert assess(facts=facts(500_000, to="US")).score == 65
    assert Policy.objects.get().state == "ACTIVE"


def test_round_trips_and_latency() -> None:
    """There are no histories here, so one more is for counts. What is decided leaves with what is sent next."""
    assess(facts=facts())  # reads the policy once
    assert round_trips(lambda: assess(facts=facts())) == 2
    assert round_trips(lambda: assess(facts=facts(500_000, to="US"))) == 4  # and a case, after the decision
    assert round_trips(lambda: assess(facts=facts(level=1, subject="pay_3"))) == 2
    assert 0 < min(Decision.objects.values_list("latency_us", flat=True)) < 1_000_000


WORDS = st.text(max_size=300)
NUMBERS = st.integers(min_value=-(2**80), max_value=2**80)
# The names of all zones are read from the disk: once, and not for each example.
MOMENTS = st.datetimes(
    timezones=st.none() | st.deferred(lambda: st.sampled_from(sorted(available_timezones()))).map(ZoneInfo)
)
FACTS = st.builds(
    PaymentFacts,
    stage=st.sampled_from(["order", "payment"]) | WORDS,
    subject=WORDS,
    amount=NUMBERS,
    currency=st.sampled_from(["CNY", "USD", "JPY", "BHD"]) | WORDS,
    happened_at=MOMENTS,
    merchant=WORDS,
    merchant_country=WORDS,
    customer=st.builds(
        CustomerFacts,
        reference=WORDS,
        email_hash=WORDS,
        paid_orders=NUMBERS,
        registered_at=st.none() | MOMENTS,
        verification_level=st.integers(0, 3) | NUMBERS,
    ),
    instrument=st.builds(InstrumentFacts, kind=WORDS, country=WORDS, fingerprint=WORDS, brand=WORDS),
    delivery=st.builds(AddressFacts, country=WORDS, hash=WORDS),
    device=st.builds(
        DeviceFacts,
        identifier=WORDS,
        is_new=st.booleans(),
        ip=WORDS,
        ip_country=WORDS,
        is_proxy=st.booleans(),
    ),
    skus=st.lists(WORDS, max_size=3).map(tuple),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=FACTS)
def test_assess_raises_for_no_facts_and_every_decision_replays(asked: PaymentFacts) -> None:
    with transaction.atomic():
        verdict = assess(facts=asked)
    assert verdict.action in ("accept", "challenge", "review", "reject")
    assert selectors.replay(verdict.decision).same
