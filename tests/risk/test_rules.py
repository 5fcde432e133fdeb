"""The judge alone: each rule at its boundary, the order of authority, words, and bad policies."""

from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from risk import policies, rules, starting, wording
from risk.errors import InvalidPolicy, InvalidRule
from risk.facts import AddressFacts, BehaviourFacts, CustomerFacts, DeviceFacts, PaymentFacts
from risk.features import Evidence, ListHit, calendar_day, entities, entity_key, inputs_of, network
from risk.readings import SIGNAL
from risk.rules import Judgement, PolicyDocument
from risk.states import Action, Level
from risk.variables import NAMED, variables
from tests.risk.makers import NOON, facts

DOCUMENT: dict[str, Any] = {
    "rules": starting.RULES,
    "thresholds": starting.THRESHOLDS,
    "limits": starting.LIMITS,
    "rates": starting.RATES,
}


def policy(**changes: Any) -> PolicyDocument:
    return policies.parse(name="test@1", **(deepcopy(DOCUMENT) | changes))


STARTING = policy()


def judge(asked: PaymentFacts, *lists: ListHit, spent: int = 0, **counts: int) -> Judgement:
    evidence = Evidence(payments_last_minute=counts, spent_today=spent, lists=lists)
    return rules.judge(STARTING, inputs_of(asked, evidence, {}))


def codes(judgement: Judgement) -> list[str]:
    return [ground.code for ground in judgement.grounds]


DEVICE = DeviceFacts(identifier="dev_1", is_new=True)

# rule, facts on which it fires, facts just short of it
BOUNDARIES: list[tuple[str, PaymentFacts, PaymentFacts]] = [
    ("large_amount", facts(500_001), facts(500_000)),
    ("new_customer", facts(paid_orders=0), facts(paid_orders=1)),
    ("card_country_differs", facts(card="US"), facts(card="")),
    ("card_country_differs", facts(to="US"), facts(to="")),
    ("cross_border_goods", facts(300_000, to="US"), facts(299_999, to="US")),
    ("cross_border_goods", facts(300_000, to="US"), facts(300_000, to="US", card="US")),
    ("cross_border_goods", facts(300_000, to="US"), facts(300_000, to="US", merchant_country="US")),
    ("new_device", facts(100_000, device=DEVICE), facts(99_999, device=DEVICE)),
    ("new_device", facts(100_000, device=DEVICE), facts(100_000, device=DEVICE, paid_orders=0)),
    ("proxy", facts(device=DeviceFacts(is_proxy=True)), facts(device=DeviceFacts())),
    ("currency_without_rate", facts(currency="BHD"), facts(currency="USD")),
    ("currency_without_rate", facts(currency="ZZZ"), facts(currency="JPY")),
]


@pytest.mark.parametrize(("rule", "fires", "rests"), BOUNDARIES)
def test_each_rule_fires_at_its_boundary_and_not_before(
    rule: str, fires: PaymentFacts, rests: PaymentFacts
) -> None:
    weight = next(one["weight"] for one in starting.RULES if one["id"] == rule)
    assert [ground.weight for ground in judge(fires).grounds if ground.code == rule] == [weight]
    assert rule not in codes(judge(rests))


@pytest.mark.parametrize("who", ["customer", "card", "device"])
def test_more_than_ten_a_minute_asks_for_a_challenge(who: str) -> None:
    assert codes(judge(facts(), **{who: 10})) == []
    eleventh = judge(facts(), **{who: 11})
    assert codes(eleventh) == ["high_frequency"] and eleventh.action == Action.CHALLENGE


def test_every_rule_of_the_starting_policy_has_a_boundary_test() -> None:
    tested = {rule for rule, _, _ in BOUNDARIES} | {"high_frequency"}
    assert tested == {rule.id for rule in STARTING.rules}


@pytest.mark.parametrize(
    ("score", "level", "action"),
    [
        (30, Level.LOW, Action.ACCEPT),
        (31, Level.MEDIUM, Action.ACCEPT),
        (40, Level.MEDIUM, Action.ACCEPT),
        (41, Level.MEDIUM, Action.CHALLENGE),
        (60, Level.MEDIUM, Action.CHALLENGE),
        (61, Level.HIGH, Action.REVIEW),
        (99, Level.HIGH, Action.REVIEW),
        (100, Level.HIGH, Action.REJECT),
    ],
)
def test_levels_and_actions_at_their_thresholds(score: int, level: Level, action: Action) -> None:
    rule = {**starting.RULES[0], "expression": "true", "weight": score}
    judgement = rules.judge(policy(rules=[rule]), inputs_of(facts(), Evidence(payments_last_minute={}), {}))
    assert (judgement.score, judgement.level, judgement.action) == (score, level, action)


def hit(kind: str) -> ListHit:
    return ListHit(entry="e1", kind=kind, entity="card", reason="seen in a chargeback")


def test_lists_speak_in_order_of_authority() -> None:
    risky = facts(800_000, paid_orders=0, to="US", level=1)  # the limit and a score of 100 both refuse
    assert judge(risky).action == Action.REJECT
    white = judge(risky, hit("grey"), hit("black"), hit("white"))
    assert (white.action, white.level, codes(white)) == (Action.ACCEPT, Level.LOW, ["list_white"])
    fatal = judge(facts(), hit("white"), hit("fatal"))
    assert (fatal.action, fatal.level, codes(fatal)) == (Action.REJECT, Level.HIGH, ["list_fatal"])
    black = judge(facts(), hit("grey"), hit("black"))
    assert (black.action, codes(black)) == (Action.REJECT, ["list_black"])
    grey = judge(facts(), hit("grey"), hit("grey"))
    assert (grey.action, grey.score, codes(grey)) == (Action.CHALLENGE, 45, ["list_grey"])


def test_limits_come_before_rules_and_stop_at_the_last_fen() -> None:
    at = judge(facts(40_000, level=1), spent=60_000)
    over = judge(facts(40_001, level=1), spent=60_000)
    assert at.action == Action.ACCEPT and (over.action, codes(over)) == (Action.REJECT, ["limit_per_day"])
    worse = judge(facts(600_000, level=1, paid_orders=0))
    assert codes(worse) == ["limit_per_payment", "limit_per_day", "large_amount", "new_customer"]


def test_the_same_question_gives_the_same_bytes() -> None:
    one, other = (rules.canonical(rules.outcome(judge(facts(500_000, to="US")))) for _ in range(2))
    assert one == other and b'"score":65' in one


@pytest.mark.parametrize(
    "expression",
    [
        "payment.amount >",
        "",
        "nobody.knows > 1",
        "payment.amount",
        "payment.amount > 'x'",
        "payment.colour == 'x'",
        "customer.paid_orders / 0 > 1",
        "x" * 2001,
    ],
)
def test_a_bad_expression_is_refused_and_named(expression: str) -> None:
    bad = {**starting.RULES[1], "id": "my_rule", "expression": expression}
    with pytest.raises(InvalidRule) as refused:
        policy(rules=[starting.RULES[0], bad])
    assert refused.value.param == "my_rule" and "my_rule" in str(refused.value)


@pytest.mark.parametrize(
    ("expression", "said", "column"),
    [
        ("payment.amount_cny >", "it ends too early; a name or a value is missing here.", 21),
        ("(payment.amount > 5", "a ) is missing.", 20),
        ("payment.amount in [1, 2", "a ] is missing.", 24),
        ("payment.amount > 5)", "there is one ) too many.", 19),
        ("payment.amout > 5", "there is no payment.amout; did you mean payment.amount?", 1),
        ("paymnt.amount > 5", "there is no paymnt.amount; did you mean payment.amount?", 1),
        ("false && payment.amout > 5", "there is no payment.amout; did you mean payment.amount?", 10),
        ("true && nobody.knows > 1", "there is no nobody.knows.", 9),
        ("payment.amount = 5", "= compares nothing; write == instead.", 16),
        ("payment.currency == 'CNY", "a text has no end; its second quotation mark is missing.", 21),
        ("payment.amount > 5 and true", "before and an operator is missing, such as &&, || or ==.", 20),
        ("payment.amount > 'x'", "texts stand in quotes, numbers do not.", 0),
    ],
)
def test_a_bad_expression_is_explained_and_its_place_told(expression: str, said: str, column: int) -> None:
    with pytest.raises(InvalidRule) as refused:
        policy(rules=[{**starting.RULES[1], "id": "my_rule", "expression": expression}])
    assert str(refused.value).endswith(said) and "Syntax" not in str(refused.value)
    assert (refused.value.context["column"], refused.value.context["detail"]) == (column, "")


@pytest.mark.parametrize(
    "change",
    [
        {"weight": 1000},
        {"weight": 1.5},
        {"weight": True},
        {"action": "accept"},
        {"action": "explode"},
        {"message": {"en": "only English"}},
        {"message": {"en": "The {payment.colour}", "zh": "颜色"}},
        {"version": 0},
        {"colour": "red"},
    ],
)
def test_a_bad_rule_is_refused_and_named(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidRule) as refused:
        policy(rules=[starting.RULES[1] | change])
    assert refused.value.param == "new_customer"


def test_two_rules_of_one_name_and_nameless_ones_are_refused() -> None:
    with pytest.raises(InvalidRule, match="twice"):
        policy(rules=[starting.RULES[0], starting.RULES[0]])
    with pytest.raises(InvalidRule):
        policy(rules=[{"id": "Bad Name"}])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rules", "no list"),
        ("thresholds", {}),
        ("thresholds", starting.THRESHOLDS | {"high_above": 20}),
        ("thresholds", starting.THRESHOLDS | {"medium_above": "30"}),
        ("thresholds", starting.THRESHOLDS | {"review_minutes": 0}),
        ("limits", []),
        ("limits", {"1": {"payment": 1}}),
        ("limits", {"one": {"payment": 1, "day": 1}}),
        ("rates", {"USD": 7.1}),
        ("rates", {"USD": "-1"}),
        ("rates", {"XYZ": "1"}),
        ("rates", {"USD": "NaN"}),
    ],
)
def test_bad_thresholds_limits_and_rates_are_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidPolicy):
        policy(**{field: value})


def test_a_rule_that_can_not_be_evaluated_after_all_is_a_question_to_a_person() -> None:
    rule = {**starting.RULES[0], "expression": "customer.paid_orders + 9223372036854775807 > 0"}
    broken = PolicyDocument(
        name="x@1",
        rules=(rules.Rule(**rule),),
        thresholds=STARTING.thresholds,
        limits={},
        rates={},
    )
    judgement = rules.judge(broken, inputs_of(facts(), Evidence(payments_last_minute={}), {}))
    assert (judgement.action, codes(judgement)) == (Action.REVIEW, ["rule_failed"])


def test_reasons_and_explanation_in_both_languages() -> None:
    judgement = judge(facts(500_000, to="US"))
    messages = {rule.id: rule.message for rule in STARTING.rules}
    for locale, country, amount in (
        ("en-GB", "United States", "CN¥5,000.00"),
        ("zh-hans", "美国", "¥5,000.00"),
    ):
        words = [
            wording.reason(wording.message_of(ground, messages), ground.params, locale)
            for ground in judgement.grounds
        ]
        assert country in words[0] and amount in words[1]
    assert wording.reason({"en": "{x.y} {"}, {}) == " {"


def test_personal_values_enter_only_hashed_or_cut() -> None:
    asked = facts()
    inputs = inputs_of(asked, Evidence(payments_last_minute={}), dict(entities(asked, secret=b"k")))
    assert "203.0.113.77" not in str(inputs)
    assert network("2001:db8:1:2::9") == "2001:db8:1::/48" and network("garbage") == ""
    assert entity_key("ip", "1.2.3.4", secret=b"k") != entity_key("card", "1.2.3.4", secret=b"k")
    assert entity_key("ip", "1.2.3.4", secret=b"k") != entity_key("ip", "1.2.3.4", secret=b"l")


def test_the_day_of_limits_is_the_chinese_calendar_day() -> None:
    assert calendar_day(NOON) != calendar_day(NOON + timedelta(hours=12))
    assert calendar_day(NOON + timedelta(hours=11, minutes=59)) == calendar_day(NOON)


def test_age_and_address_do_not_matter_to_the_starting_policy_but_are_there_for_rules() -> None:
    customer = CustomerFacts(paid_orders=1, registered_at=NOON - timedelta(days=3))
    aged = replace(facts(), customer=customer, delivery=AddressFacts())
    named = variables(inputs_of(aged, Evidence(payments_last_minute={}), {}), STARTING.rates)
    assert named["customer"]["age_days"] == 3 and named["delivery"]["country"] == ""


def test_every_field_is_of_its_type_also_in_decisions_from_before_it_was_stored() -> None:
    customer = CustomerFacts(registered_at=NOON)
    full = facts(device=DEVICE, behaviour=BehaviourFacts(keystrokes=9), coupon=True)
    full = replace(full, customer=customer)
    signals = dict.fromkeys(SIGNAL, 1) | {"amount": "0.693742"}
    new = inputs_of(full, Evidence(payments_last_minute={"card": 2}), {}) | {"signals": signals}
    old = {"facts": {**new["facts"]}, "features": new["features"], "lists": []}
    del old["facts"]["behaviour"]
    for inputs in (new, {**new, "signals": {}, "histories": ["card"]}, old):
        groups = variables(inputs, STARTING.rates)
        read = {
            f"{group}.{name}": type(value) for group, some in groups.items() for name, value in some.items()
        }
        assert read == {name: field.kind for name, field in NAMED.items()}
