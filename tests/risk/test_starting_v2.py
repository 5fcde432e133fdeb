"""What came after starting@1: the policy that asks for more, and a model of a generated shop."""

from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from risk import artefacts, policies, rules, scorers, starting, starting_model, starting_v2
from risk.errors import InvalidPolicy
from risk.facts import DeviceFacts, PaymentFacts
from risk.features import Evidence, inputs_of
from risk.history import Event, History
from risk.models import Policy, RiskModel
from risk.observations import event_of
from risk.services.assess import assess
from risk.services.crown_model import crown_model
from risk.signals import GROUPS, signals
from risk.states import ModelState, PolicyState
from tests.risk.makers import NOON, facts
from tests.risk.test_assess import CASES

pytestmark = pytest.mark.django_db

MIGRATION = import_module("risk.migrations.0010_starting_v2")
DOCUMENT: dict[str, Any] = {
    "rules": starting_v2.RULES,
    "thresholds": starting_v2.THRESHOLDS,
    "limits": starting_v2.LIMITS,
    "rates": starting_v2.RATES,
    "model": starting_v2.MODEL,
}
POLICY = policies.parse(name="starting@2", **DOCUMENT)
NAME = starting_v2.MODEL["name"]


def test_it_is_there_for_whoever_wants_to_return_to_it() -> None:
    row = Policy.objects.get(version=2)
    assert {name: getattr(row, name) for name in DOCUMENT} == DOCUMENT


def test_a_house_that_has_decided_gets_it_as_a_draft_that_a_second_person_switches_on() -> None:
    assess(facts=facts())
    MIGRATION.add_policy(apps, connection.schema_editor())
    row = Policy.objects.latest("version")
    assert (str(row), row.state, row.rules) == ("starting@4", PolicyState.DRAFT, starting_v2.RULES)
    assert Policy.objects.get(state=PolicyState.ACTIVE).version == 3


def test_what_starting_1_scored_keeps_its_score_and_level() -> None:
    """The new rules ask, they add nothing: no sum of suspicions becomes a refusal."""
    assert starting_v2.RULES[: len(starting.RULES)] == starting.RULES
    assert {rule["weight"] for rule in starting_v2.RULES[len(starting.RULES) :]} == {0}
    first = policies.parse(
        name="starting@1",
        rules=starting.RULES,
        thresholds=starting.THRESHOLDS,
        limits=starting.LIMITS,
        rates=starting.RATES,
    )
    for asked, action, level, score in CASES.values():
        inputs = inputs_of(asked, Evidence(payments_last_minute={}), {})
        old, new = rules.judge(first, inputs), rules.judge(POLICY, inputs)
        assert (new.action, new.level, new.score) == (old.action, old.level, old.score)
        assert (new.action, new.level, new.score) == (action, level, score)


def test_the_model_ships_sealed_and_says_what_it_learnt_from() -> None:
    row = RiskModel.objects.get(name=starting_model.NAME)
    assert (str(row), row.state, row.digest) == (NAME, ModelState.CHAMPION, starting_model.DIGEST)
    assert row.card["simulated"] and "generated data" in row.card["warning"]
    lesson = starting_model.read()
    assert len(lesson.text) < 600_000
    assert artefacts.digest_of(lesson.text, [(name, GROUPS[name]) for name in lesson.names]) == row.digest
    assert not [name for name in lesson.names if GROUPS[name] in ("merchant", "sku")]  # unknown in this shop
    assert scorers.loaded(NAME).digest == row.digest
    assert crown_model(model=NAME, actor="user:1", reason="again") == NAME


def first_seen(asked: PaymentFacts) -> Any:
    """The signals of a payment in a shop that remembers nothing."""
    kinds = ["customer", "device", "address", "ip", *(["card"] if asked.instrument.fingerprint else [])]
    event: Event = event_of(asked.happened_at, asked.amount, 0, {})
    return signals(event.at, event, {kind: History() for kind in kinds})


def test_the_model_changes_none_of_the_four_cases_in_a_new_shop() -> None:
    assert POLICY.model is not None
    for hour in range(24):
        for asked, action, *_ in CASES.values():
            answer = scorers.ask(NAME, first_seen(asked) | {"hour": float(hour)})
            assert POLICY.model.weight(answer.probability_ppm) == 0
            asks = POLICY.model.action(answer.probability_ppm, asked.amount)
            assert asks == "" or action != "accept", (asked, hour)


def test_the_model_asks_without_points_where_a_browser_or_a_network_is_known() -> None:
    answer = {"name": NAME, "probability_ppm": 750_000, "groups": [["address", 1900]]}
    bare = DeviceFacts()
    for asked, ppm, codes in (
        (facts(20_001), 750_000, ["model"]),
        (facts(20_001), 749_999, []),
        (facts(20_000), 750_000, []),
        (facts(20_001, device=bare), 750_000, []),
        (facts(20_001, device=replace(bare, ip="203.0.113.7")), 750_000, ["model"]),
    ):
        inputs = inputs_of(asked, Evidence(payments_last_minute={}), {})
        judged = rules.judge(POLICY, inputs | {"model": answer | {"probability_ppm": ppm}})
        assert [ground.code for ground in judged.grounds] == codes
        assert (judged.action, judged.score) == ("challenge" if codes else "accept", 0)


@pytest.mark.parametrize("wrong", [{"challenge_from": 2_000_000}, {"challenge_from": "1"}, {"asks": 1}])
def test_what_a_model_asks_for_is_checked_at_save(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidPolicy):
        policies.parse(name="x@1", **{**DOCUMENT, "model": {**starting_v2.MODEL, **wrong}})


def test_without_histories_nobody_is_asked_for_more() -> None:
    asked = facts(900_000, paid_orders=0, happened_at=NOON + timedelta(days=1))
    judged = rules.judge(POLICY, inputs_of(asked, Evidence(payments_last_minute={}), {}))
    assert [ground.code for ground in judged.grounds] == ["large_amount", "new_customer"]
