"""Histories in Redis: they reach rules, nothing is lost or counted twice, and decisions go on without them."""

import json
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from risk import histories, layouts, observations, rules, selectors, starting
from risk.facts import DeviceFacts, InstrumentFacts, Verdict
from risk.history import History
from risk.models import Decision, LimitUse, Policy
from risk.models.lists import key_of
from risk.services.activate_policy import activate_policy
from risk.services.assess import assess
from risk.services.catch_up_histories import catch_up_histories
from risk.services.draft_policy import draft_policy
from risk.services.note_outcome import note_outcome
from risk.services.rebuild_histories import rebuild_histories
from risk.states import OutcomeKind
from risk.tasks import keep_histories_whole
from tests.risk.makers import facts
from tests.risk.own_redis import OwnRedis, own_redis

__all__ = ["own_redis"]

pytestmark = pytest.mark.django_db(transaction=True)


NOW = timezone.now() - timedelta(hours=2)


@pytest.fixture
def whole(own_redis: OwnRedis) -> OwnRedis:
    """Histories are kept, of nothing so far."""
    rebuild_histories()
    decides()
    return own_redis


def pay(number: int, amount: int = 10_000, *, at: datetime | None = None, **others: Any) -> Verdict:
    moment = at or NOW + timedelta(seconds=number)
    with transaction.atomic():
        return assess(facts=facts(amount, subject=f"pay_{number}", happened_at=moment, **others))


def inputs_of(verdict: Verdict) -> dict[str, Any]:
    """With the signals that were known, by name."""
    inputs = selectors.decision(verdict.decision).inputs
    return {**inputs, "signals": {name: float(value) for name, value in layouts.named(inputs).items()}}


def various(number: int) -> Verdict:
    """A payment of one of three customers with one of four cards, of two SKUs."""
    return pay(
        number,
        1000 * (number % 7 + 1),
        customer=f"cus_{number % 3}",
        instrument=InstrumentFacts(kind="card", fingerprint=f"fp_{number % 4}"),
        device=DeviceFacts(identifier=f"dev_{number % 5}", ip="203.0.113.77"),
        merchant="m-1",
        skus=("mug", f"shirt-{number % 2}"),
    )


def told_by_hand() -> dict[str, bytes]:
    """Every history, made from the decisions in memory."""
    made: dict[str, History] = {}
    for row in Decision.objects.order_by("pk"):
        seen = observations.observation(row.pk, row.inputs, selectors.policy_document(row.policy_id).rates)
        for name in seen.names if seen else ():
            made.setdefault(name, History()).observe(seen.event)  # type: ignore[union-attr]
    return {name: history.dump() for name, history in made.items()}


def in_redis(names: dict[str, bytes]) -> dict[str, bytes]:
    recalled = histories.recall(names)
    assert recalled is not None
    return {name: history.dump() for name, history in recalled.histories.items()}


def decides(
    *named: dict[str, Any],
    model: dict[str, Any] | None = None,
    rates: dict[str, str] = starting.RATES,
    **thresholds: int,
) -> None:
    """A policy with these rules alone decides."""
    drafted = draft_policy(
        name="looking-back",
        rules=named,
        thresholds=starting.THRESHOLDS | {"deadline_ms": 9999} | thresholds,
        limits={"1": {"payment": 10_000, "day": 25_000}},
        rates=rates,
        actor="test",
        model=model,
    )
    activate_policy(policy=drafted, actor="second", reason="a test")


def rule(name: str, expression: str, words: str = "So it is.") -> dict[str, Any]:
    message = {"en": words, "zh": words}
    return {
        "id": name,
        "version": 1,
        "expression": expression,
        "weight": 50,
        "action": "",
        "message": message,
    }


class TestSignals:
    def test_a_decision_sees_what_was_committed_before_it(self, whole: OwnRedis) -> None:
        first, second = pay(1, 10_000), pay(2, 30_000)
        assert inputs_of(first)["signals"]["amount"] == 10_000
        assert inputs_of(first)["signals"]["customer_count_1h"] == 0
        assert "customer_gap_minutes" not in inputs_of(first)["signals"]  # there was none before
        seen = inputs_of(second)
        assert seen["signals"]["customer_count_1h"] == 1 and seen["signals"]["card_sum_1d"] == 10_000
        assert seen["signals"]["customer_amount_ratio_median"] == 3 and seen["event"]["ratio"] == 300
        assert seen["histories"] == ["address", "card", "customer", "device", "ip"] and seen["degraded"] == []
        assert selectors.replay(second.decision).same

    def test_what_was_rolled_back_never_happened(self, whole: OwnRedis) -> None:
        with pytest.raises(RuntimeError), transaction.atomic():
            assess(facts=facts(happened_at=NOW))
            raise RuntimeError
        assert inputs_of(pay(1))["signals"]["customer_count_1h"] == 0

    def test_the_light_check_reads_and_is_not_counted(self, whole: OwnRedis) -> None:
        pay(1)
        order = pay(2, stage="order")
        assert inputs_of(order)["signals"]["card_count_1h"] == 1
        assert inputs_of(pay(3))["signals"]["card_count_1h"] == 1

    def test_rules_read_signals_and_velocities(self, whole: OwnRedis) -> None:
        decides(
            rule(
                "often", "velocity.card_count_10m > 2", "{velocity.card_count_10m} payments in ten minutes."
            ),
            rule("much", "velocity.customer_sum_1d >= 40000"),
            rule("many_cards", "velocity.device_distinct_card_1d > 1"),
            rule("unlike", "signal.customer_amount_ratio_median > 5.0"),
            rule("never_seen", "signal.card_age_days < 0.0"),
        )
        codes = [[reason.code for reason in pay(number).reasons] for number in range(3)]
        assert codes == [["never_seen"], [], ["often"]]
        other = InstrumentFacts(kind="card", fingerprint="fp_2")
        assert [r.code for r in pay(3, instrument=other).reasons] == ["much", "never_seen"]
        last = pay(4, 60_000)
        assert [r.code for r in last.reasons] == ["often", "much", "many_cards", "unlike"]
        assert last.reasons[0].text == "4 payments in ten minutes."
        assert all(selectors.replay(row.public_id).same for row in Decision.objects.all())

    def test_five_hundred_kilometres_in_an_hour(self, whole: OwnRedis) -> None:
        decides(rule("too_fast", "signal.geo_speed_kmh > 500.0"))
        shanghai = DeviceFacts(identifier="a", latitude_e6=31_230_000, longitude_e6=121_470_000)
        beijing = DeviceFacts(identifier="b", latitude_e6=39_904_200, longitude_e6=116_407_400)
        assert pay(1, device=shanghai).score == 0
        quick = pay(2, device=beijing)
        assert [reason.code for reason in quick.reasons] == ["too_fast"]
        assert 1050 < inputs_of(quick)["signals"]["geo_distance_km"] < 1080
        assert inputs_of(quick)["facts"]["device"]["latitude_e6"] == 39_900_000
        assert pay(3, device=shanghai, at=NOW + timedelta(hours=2, minutes=30)).score == 0
        assert pay(4, device=DeviceFacts(identifier="c"), at=NOW + timedelta(hours=3)).score == 0


class TestKeeping:
    def test_redis_holds_what_the_decisions_say(self, whole: OwnRedis) -> None:
        for number in range(20):
            various(number)
        told = told_by_hand()
        assert len(told) == 3 + 4 + 5 + 1 + 1 + 1 + 3 and in_redis(told) == told

    def test_rings_and_days_are_bounded_like_the_history_itself(self, whole: OwnRedis) -> None:
        history, generation = History(), histories.current()
        seen = observations.observation(Decision().pk, {**_stored(), "event": {}}, {})
        assert seen is not None
        start = seen.event.at - 100 * 86_400_000
        for number in range(200):
            step = 86_400_000 // 2 if number < 160 else 1000
            late = -3 * step if number % 50 == 49 else 0
            start += step
            event = seen.event._replace(at=start + late, amount=number + 1)
            history.observe(event)
            one = replace(seen, id=Decision().pk, event=event, names=("card:bounded",))
            assert histories.tell([one, one], generation=generation) == 1
        recalled = histories.recall(["card:bounded"])
        assert recalled is not None and recalled.histories["card:bounded"].dump() == history.dump()

    def test_an_answer_that_nobody_read_is_not_another_s(
        self, whole: OwnRedis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pay(1)
        histories.asked(["customer:nobody"])
        monkeypatch.setattr(histories._line.connection, "can_read", lambda: False)  # it is not there yet
        names = list(told_by_hand())
        recalled = histories.recall(names)
        assert recalled is not None and all(recalled.histories[name].total for name in names)

    def test_what_a_crash_kept_from_redis_is_told_later_and_once(
        self, whole: OwnRedis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        various(1)
        with monkeypatch.context() as crashed:
            crashed.setattr(histories, "note", lambda observation: None)
            for number in range(2, 7):
                various(number)
        various(7)
        assert in_redis(told_by_hand()) != told_by_hand()
        assert catch_up_histories() == 5 and catch_up_histories() == 0
        assert in_redis(told_by_hand()) == told_by_hand()

    def test_decisions_of_before_there_were_histories_are_told_too(self, own_redis: OwnRedis) -> None:
        old = _stored()
        row = Decision.objects.get(pk=_insert(old))
        assert selectors.replay_row(row).same and rules.canonical(row.inputs) == rules.canonical(old)
        rebuild_histories()
        assert in_redis(told_by_hand()) == told_by_hand() and told_by_hand()


def heard(number: int, source: str, *, fraud: bool) -> None:
    with transaction.atomic():
        note_outcome(
            subject=f"pay_{number}",
            fraud=fraud,
            kind=OutcomeKind.DISPUTE,
            source=source,
            known_at=timezone.now(),
        )


def frauds(name: str) -> tuple[int, int]:
    recalled = histories.recall([name])
    assert recalled is not None
    days = recalled.histories[name].days.values()
    return sum(day.frauds for day in days), sum(day.plain for day in days)


class TestOutcomes:
    def test_a_verdict_reaches_the_next_decision(self, whole: OwnRedis) -> None:
        decides(rule("bad_card", "signal.card_fraud_count_28d > 0.0"))
        assert pay(1).score == 0
        heard(1, "dsp_1", fraud=True)
        assert [reason.code for reason in pay(2).reasons] == ["bad_card"]

    def test_a_payment_is_one_fraud_however_many_say_so_and_none_once_taken_back(
        self, whole: OwnRedis
    ) -> None:
        name = f"merchant:{key_of('merchant', 'm-1')}"
        for number in range(3):
            various(number)
        heard(1, "dsp_1", fraud=True)
        heard(1, "case_1", fraud=True)
        heard(2, "dsp_2", fraud=True)
        assert frauds(name) == (2, 2)  # nothing was unusual for customers whom nobody knew
        heard(2, "dsp_2", fraud=False)
        assert frauds(name)[0] == 1
        before = frauds(name)
        catch_up_histories()
        assert frauds(name) == before
        rebuild_histories()
        assert frauds(name) == before


class TestWithoutRedis:
    def test_killed_in_mid_run_decisions_go_on_limits_hold_and_all_comes_back(self, whole: OwnRedis) -> None:
        decides(rule("often", "velocity.card_count_1h > 3"))
        for number in range(10):
            various(number)
        limited: dict[str, Any] = {"level": 1, "customer": "cus_l", "instrument": InstrumentFacts()}
        assert pay(20, **limited).action == "accept"
        whole.kill()
        for number in range(10, 20):
            assert inputs_of(various(number))["degraded"] == ["velocity"]
        often = various(21)
        assert [reason.code for reason in often.reasons] == ["often"]  # counted in PostgreSQL
        assert inputs_of(often)["signals"]["card_count_1h"] >= 3 and selectors.replay(often.decision).same
        assert pay(22, **limited).action == "accept"
        assert [reason.code for reason in pay(23, **limited).reasons] == ["limit_per_day"]
        assert LimitUse.objects.count() == 2
        whole.start()
        assert inputs_of(various(24))["degraded"] == ["velocity"]  # it answers, and has lost everything
        assert keep_histories_whole() == Decision.objects.count()
        assert in_redis(told_by_hand()) == told_by_hand()
        assert inputs_of(various(25))["degraded"] == []
        assert in_redis(told_by_hand()) == told_by_hand()

    def test_a_slow_redis_is_not_waited_for(self, whole: OwnRedis, settings: Any) -> None:
        pay(1)
        settings.RISK_REDIS_MS = 5
        with whole.stopped():
            began = time.monotonic()
            assert inputs_of(pay(2))["degraded"] == ["velocity"]
            assert time.monotonic() - began < 2

    def test_one_that_was_late_is_asked_again_one_that_does_not_answer_is_left_alone(
        self, whole: OwnRedis, settings: Any
    ) -> None:
        def blind(number: int, milliseconds: int) -> bool:
            settings.RISK_REDIS_MS = milliseconds
            return bool(inputs_of(pay(number))["degraded"] == ["velocity"])

        for first in (1, 10):  # an answer in between, and it begins anew
            with whole.stopped():
                assert blind(first, 30)
            assert not blind(first + 1, 2000)
        with whole.stopped():
            assert all(
                blind(number, 30) for number in range(20, 20 + histories._MISSED // 2)
            )  # asked and told
        assert blind(40, 2000)  # it would be answered: nobody asks for a second
        histories._Rest.until = 0.0
        assert not blind(41, 2000)

    def test_histories_that_nobody_kept_whole_are_not_believed(self, whole: OwnRedis) -> None:
        histories.set_whole_at(histories.current(), time.time() - 301)
        assert inputs_of(pay(1))["degraded"] == ["velocity"]
        assert keep_histories_whole() == 0 and inputs_of(pay(2))["degraded"] == []
        histories.set_whole_at(histories.current(), time.time() - 7200)
        assert keep_histories_whole() == 2 and inputs_of(pay(3))["degraded"] == []

    def test_nobody_rebuilds_beside_another(self, whole: OwnRedis) -> None:
        pay(1)
        assert histories.claim_rebuild() and rebuild_histories() == 0
        histories.end_rebuild()
        call_command("rebuild_risk_histories", verbosity=0)
        assert in_redis(told_by_hand()) == told_by_hand()


@pytest.mark.deadline
class TestDeadline:
    def test_past_it_the_stated_policy_decides_and_says_so(
        self, whole: OwnRedis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        decides(rule("seen", "signal.amount > 0.0"), late_weight=45)
        assert [reason.code for reason in pay(1).reasons] == ["seen"]
        decides(rule("seen", "signal.amount > 0.0"), deadline_ms=200, late_weight=45)
        asked = histories.asked

        def slowly(names: Any) -> Any:
            time.sleep(0.25)
            return asked(names)

        monkeypatch.setattr(histories, "asked", slowly)
        late = pay(2)
        assert (late.action, late.score) == ("challenge", 45)
        assert "more than 200 ms" in late.reasons[0].text
        assert inputs_of(late)["degraded"] == ["deadline"] and selectors.replay(late.decision).same


ENGINE_1 = Path(__file__).parent / "engine_1.json"


def _stored() -> dict[str, Any]:
    """The inputs of a decision as they were stored before there were histories."""
    return dict(json.loads(ENGINE_1.read_text())["inputs"])


def _insert(inputs: dict[str, Any]) -> Any:
    kept = json.loads(ENGINE_1.read_text())
    pay(99, stage="order")
    old = Decision(
        **{
            name: kept[name]
            for name in ("subject", "stage", "amount", "currency", "outcome", "digest", "score")
        },
        **{
            name: kept[name]
            for name in ("level", "action", "reasons", "customer_key", "card_key", "device_key")
        },
        happened_at=datetime.fromisoformat(inputs["facts"]["happened_at"]),
        inputs=inputs,
        policy=Policy.objects.get(name="starting", version=1),  # it decided then
        latency_us=1,
    )
    old.save(force_insert=True)
    return old.pk
