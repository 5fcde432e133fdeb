"""Which challenge a policy asks for, of what the customer has; old policies and decisions stay as they are."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from risk import policies, rules, starting
from risk.errors import InvalidPolicy
from risk.facts import InstrumentFacts, PaymentFacts
from risk.features import Evidence, inputs_of
from risk.rules import Judgement
from risk.states import Action
from tests.risk.makers import facts

ALL = ("email", "passkey", "captcha")
BY_DEFAULT: dict[str, Any] = starting.THRESHOLDS
OURS = {
    **BY_DEFAULT,
    "challenge": {"*": ["three_d_secure", "passkey", "sms", "email"], "high_frequency": ["captcha"]},
}
NO_3DS = InstrumentFacts(kind="card", country="US", brand="amex", three_d_secure=False)


def judge(asked: PaymentFacts, thresholds: dict[str, Any] = OURS, **counts: int) -> Judgement:
    document = policies.parse(
        name="test@1",
        rules=deepcopy(starting.RULES),
        thresholds=thresholds,
        limits=starting.LIMITS,
        rates=starting.RATES,
    )
    return rules.judge(document, inputs_of(asked, Evidence(payments_last_minute=counts), {}))


DOUBTFUL = facts(800_000, paid_orders=0, card="US", challenges=ALL)
WALLET = replace(DOUBTFUL, instrument=InstrumentFacts(kind="alipay", country="US"))


@pytest.mark.parametrize(
    ("asked", "action", "kinds"),
    [
        (DOUBTFUL, Action.CHALLENGE, ("three_d_secure", "passkey", "email")),
        (replace(DOUBTFUL, instrument=NO_3DS), Action.CHALLENGE, ("passkey", "email")),
        (WALLET, Action.CHALLENGE, ("passkey", "email")),
        (replace(WALLET, challenges=("email",)), Action.CHALLENGE, ("email",)),
        (replace(WALLET, challenges=("captcha",)), Action.REVIEW, ()),
        (replace(WALLET, challenges=()), Action.REVIEW, ()),
        (facts(challenges=ALL), Action.ACCEPT, ()),
    ],
)
def test_the_first_of_the_policys_kinds_that_the_customer_has(
    asked: PaymentFacts, action: Action, kinds: tuple[str, ...]
) -> None:
    judgement = judge(asked)
    assert (judgement.action, judgement.challenges) == (action, kinds)


def test_a_ground_that_stands_alone_may_have_a_kind_of_its_own() -> None:
    many = facts(kind="alipay", challenges=ALL)
    assert judge(many, customer=11).challenges == ("captcha",)
    # With another cause beside it, work for a machine is not enough.
    worse = judge(replace(many, customer=replace(many.customer, paid_orders=0)), customer=11)
    assert worse.challenges == ("passkey", "email")


def test_policies_that_say_nothing_are_as_they_were() -> None:
    card, wallet = judge(DOUBTFUL, BY_DEFAULT), judge(WALLET, BY_DEFAULT)
    assert (card.action, wallet.action) == (Action.CHALLENGE, Action.REVIEW)
    assert judge(replace(DOUBTFUL, instrument=NO_3DS), BY_DEFAULT).action == Action.CHALLENGE
    # The bytes of a decision hold nothing new.
    assert "challenges" not in rules.outcome(card) and "challenges" not in rules.outcome(wallet)
    assert rules.outcome(judge(DOUBTFUL))["challenges"][0] == "three_d_secure"


def test_inputs_that_were_stored_before_are_judged_as_before() -> None:
    document = policies.parse(
        name="test@1",
        rules=deepcopy(starting.RULES),
        thresholds=BY_DEFAULT,
        limits=starting.LIMITS,
        rates=starting.RATES,
    )
    inputs = inputs_of(DOUBTFUL, Evidence(payments_last_minute={}), {})
    now = rules.outcome(rules.judge(document, inputs))
    del inputs["facts"]["challenges"], inputs["facts"]["instrument"]["three_d_secure"]
    assert rules.canonical(rules.outcome(rules.judge(document, inputs))) == rules.canonical(now)


@pytest.mark.parametrize(
    "challenge",
    [
        [],
        {},
        {"high_frequency": ["captcha"]},
        {"*": []},
        {"*": "email"},
        {"*": ["fax"]},
        {"*": ["sms", "sms"]},
    ],
)
def test_bad_choices_are_refused(challenge: Any) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        judge(DOUBTFUL, {**BY_DEFAULT, "challenge": challenge})
    assert refused.value.param == "challenge"
