"""The commands over what is stored: judged again byte by byte, and by a policy that did not decide."""

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pgtrigger
import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from risk import rules, starting
from risk.facts import DeviceFacts, Verdict
from risk.features import LARGEST, text
from risk.models import BackTest, Decision
from risk.services.activate_policy import activate_policy
from risk.services.assess import assess
from risk.services.decide_case import decide_case
from risk.services.draft_policy import draft_policy
from risk.services.run_back_test import run_back_test
from tests.risk.makers import facts

pytestmark = pytest.mark.django_db(transaction=True)


WORDS = st.text(max_size=20).map(text)
INPUTS = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


def asked(subject: str, amount: int, **others: Any) -> Verdict:
    with transaction.atomic():
        return assess(facts=facts(amount, subject=subject, customer=f"cus_{subject}", **others))


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    else:
        yield value


def told(*command: str) -> Any:
    out = StringIO()
    call_command(*command, "--json", stdout=out)
    return json.loads(out.getvalue())


def second(**changes: Any) -> str:
    document: dict[str, Any] = {
        "rules": starting.RULES,
        "thresholds": starting.THRESHOLDS,
        "limits": starting.LIMITS,
        "rates": starting.RATES,
    }
    return draft_policy(name="starting", actor="user:1", **(document | changes))


@given(st.dictionaries(WORDS, INPUTS, max_size=5))
def test_inputs_are_the_same_bytes_by_whatever_writes_them(inputs: dict[str, Any]) -> None:
    assert rules.canonical_inputs(inputs) == rules.canonical(inputs)


def test_inputs_hold_no_floating_point() -> None:
    asked(
        "pay_1", 500_000, to="US", device=DeviceFacts(identifier="a", latitude_e6=31_200_000, longitude_e6=1)
    )
    assert float not in set(map(type, leaves(Decision.objects.get().inputs)))


def test_everything_replays_also_after_the_policy_changed() -> None:
    asked("pay_1", 500_000, to="US")
    activate_policy(policy=second(rules=starting.RULES[:2]), actor="user:2", reason="simpler")
    asked("pay_2", 600_000)
    figures = told("replay_decisions", "--all")
    assert (figures["decisions"], figures["same"], figures["broken"]) == (2, True, [])
    assert told("replay_decisions", "--days", "1")["decisions"] == 2
    with pgtrigger.ignore("risk.Decision:append_only"):
        Decision.objects.filter(subject="pay_2").update(score=3)
    with pytest.raises(CommandError, match="not the same: dec_"):
        told("replay_decisions", "--all")


def test_a_back_test_says_what_would_change_and_what_it_costs() -> None:
    patient = starting.THRESHOLDS | {"deadline_ms": 9999}  # on a busy machine lateness would be a cause too
    activate_policy(policy=second(thresholds=patient), actor="user:2", reason="patient")
    verdicts = [asked(f"pay_{n}", 500_000, to="US") for n in range(4)]
    for verdict, honest in zip(verdicts[:3], (True, False, False), strict=True):
        with transaction.atomic():
            decide_case(case=verdict.case, approve=honest, actor="user:2", reason="called")
    asked("pay_5", 10_000)
    asked("ord_1", 500_000, to="US", stage="order")
    rule = starting.RULES[0] | {"weight": 50, "expression": "payment.amount_cny == 10000"}
    loose = second(rules=[rule], thresholds=patient)
    figures = told("back_test_policy", loose, "--days", "180")
    assert (figures["policy"], figures["decisions"]) == (loose, 5)
    assert figures["labelled"] == {"fraud": 2, "honest": 1}
    assert figures["matrix"] == {"accept": {"challenge": 1}, "review": {"accept": 4}}
    assert figures["moved_sums"] == {"accept>challenge": 10_000, "review>accept": 2_000_000}
    was, would = figures["was"], figures["would"]
    assert (was["precision"], was["recall"], was["actions"]["review"]) == (0.6667, 1.0, 4)
    assert (would["precision"], would["recall"], would["fraud_passed_sum"]) == (None, 0.0, 1_000_000)
    assert figures["causes"] == {"large_amount": 1} and len(figures["examples"]) == 5
    row = BackTest.objects.get()
    assert (row.state, row.seen, row.percent) == ("DONE", 5, 100)
    assert run_back_test(back_test=row.public_id) == {}  # done is done
    with pytest.raises(CommandError, match="no policy"):
        told("back_test_policy", "starting@9")
    out = StringIO()
    call_command("back_test_policy", loose, stdout=out)
    assert "review → accept: 4 decisions, CN¥20,000.00" in out.getvalue()
