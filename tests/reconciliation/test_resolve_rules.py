"""Rules that resolve by themselves: what they touch, what they leave, whose they are, and how it is taken back."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from ledger.errors import Refusal
from ledger.selectors import audit_trail, trial_balance
from reconciliation.cases import repairs_of, resolvable
from reconciliation.errors import (
    ReasonMissing,
    ResolveRuleInvalid,
    ResolveRuleNotFound,
    ResolveRuleNotSwitchable,
    SecondPersonNeeded,
)
from reconciliation.models import Discrepancy, ResolveRule
from reconciliation.services.activate_resolve_rule import activate_resolve_rule
from reconciliation.services.apply_resolve_rules import apply_resolve_rules
from reconciliation.services.draft_resolve_rule import draft_resolve_rule
from reconciliation.services.investigate import investigate
from reconciliation.services.retire_resolve_rule import retire_resolve_rule
from reconciliation.services.undo_repair import undo_repair
from reconciliation.states import DiscrepancyKind as K
from tests.reconciliation.differences import difference, missing_here, missing_there

pytestmark = pytest.mark.django_db(transaction=True)

MAX, FAY = "user:1", "user:2"


@pytest.fixture(autouse=True)
def limits(settings: Any) -> None:
    settings.RECONCILIATION_RULE_CEILING = {"CNY": 1_000}


def draft(**said: Any) -> str:
    content: dict[str, Any] = {
        "name": "fen",
        "channel": "",
        "kind": "fee",
        "action": "post_fee",
        "max_amount": 5,
        "currency": "CNY",
        "fee_tolerance": None,
        "min_age_days": 0,
        "note": "Rounding of fees",
    }
    return draft_resolve_rule(**{**content, **said}, actor=MAX)


def switch_on(**said: Any) -> str:
    name = draft(**said)
    activate_resolve_rule(rule=name, actor=FAY, reason="Tried")
    return name


def fee(fen: int, **said: Any) -> Discrepancy:
    return difference(K.FEE, ours=100, told=100, fee=0, told_fee=fen * 1000, at_risk=fen, **said)


def run(days: int = 0) -> int:
    return apply_resolve_rules(now=timezone.now() + timedelta(days=days))


def state(row: Discrepancy) -> str:
    row.refresh_from_db()
    return str(row.state)


def balances() -> dict[str, int]:
    return {one.account: one.balance.minor for one in trial_balance().accounts if one.balance.minor}


def test_a_rule_posts_what_a_person_would_and_leaves_its_name() -> None:
    name = switch_on()
    small, large = fee(5), fee(6)
    taken = fee(4)
    investigate(discrepancy=taken.public_id, actor=MAX)
    assert run() == 1
    assert [state(row) for row in (small, large, taken)] == ["RESOLVED", "OPEN", "INVESTIGATING"]
    assert balances() == {"channel_fees:wechat": 5, "receivable:wechat": -5}
    (repair,) = repairs_of(small.public_id)
    assert (repair.rule, repair.proposed_by, repair.reason) == (name, "rule:fen:1", "fen@1: Rounding of fees")
    assert {one.actor for one in audit_trail(repair.id)} == {"rule:fen:1"}
    assert run() == 0
    undo_repair(repair=repair.id, actor=FAY, reason="Not this one")
    assert (state(small), balances(), run()) == ("INVESTIGATING", {}, 0)


def test_what_bounds_it() -> None:
    row = fee(3)
    for said in ({"channel": "alipay"}, {"kind": "amount"}, {"fee_tolerance": 2_999}, {"min_age_days": 2}):
        switch_on(**said)
        assert (run(), state(row)) == (0, "OPEN")
    assert run(days=2) == 1


def test_the_ceiling_holds_whatever_the_rule_says(settings: Any) -> None:
    with pytest.raises(ResolveRuleInvalid):
        draft(max_amount=1_001)
    switch_on(max_amount=1_000)
    row = fee(900)
    lying = difference(K.FEE, ours=100, told=100, told_fee=2_000_000, at_risk=1)
    settings.RECONCILIATION_RULE_CEILING = {"CNY": 800}
    assert (run(), state(row), state(lying), balances()) == (0, "OPEN", "OPEN", {})


def test_writing_off_and_suspense() -> None:
    switch_on(name="old", kind="missing_there", action="write_off", max_amount=500, min_age_days=30)
    switch_on(name="here", kind="missing_here", action="suspense", max_amount=500)
    gone, here = missing_there(400), missing_here(300)
    assert run() == 1
    assert (state(gone), state(here)) == ("OPEN", "INVESTIGATING")
    assert investigate(discrepancy=here.public_id, actor=MAX).investigator == MAX
    assert run(days=30) == 1
    assert state(gone) == "WRITTEN_OFF"
    assert (gone.write_off_proposed_by, gone.closed_by) == ("rule:old:1", "system")
    assert balances() == {"receivable:wechat": -100, "suspense": -300, "write_offs": 400}


def test_it_takes_two_to_switch_one_on() -> None:
    name = draft()
    with pytest.raises(SecondPersonNeeded):
        activate_resolve_rule(rule=name, actor=MAX, reason="Mine")
    with pytest.raises(ReasonMissing):
        activate_resolve_rule(rule=name, actor=FAY, reason=" ")
    with pytest.raises(ResolveRuleNotFound):
        activate_resolve_rule(rule="fen@9", actor=FAY, reason="x")
    assert ResolveRule.objects.get().state == "DRAFT"
    assert activate_resolve_rule(rule=name, actor=FAY, reason="Tried") == ""
    with pytest.raises(ResolveRuleNotSwitchable):
        activate_resolve_rule(rule=name, actor=FAY, reason="Again")
    second = draft(max_amount=4)
    assert activate_resolve_rule(rule=second, actor=FAY, reason="Tighter") == name
    retire_resolve_rule(rule=second, actor=FAY, reason="Enough")
    with pytest.raises(ResolveRuleNotSwitchable):
        retire_resolve_rule(rule=second, actor=FAY, reason="Enough")
    fee(1)
    assert run() == 0


def test_the_table_keeps_rules_as_they_were_switched_on() -> None:
    switch_on()
    with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
        ResolveRule.objects.update(max_amount=1_000_000)
    with pytest.raises(IntegrityError, match="rule_on_by_two"), transaction.atomic():
        ResolveRule.objects.update(activated_by=MAX)
    with pytest.raises(DatabaseError, match="Cannot delete"), transaction.atomic():
        ResolveRule.objects.all().delete()


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "none"},
        {"action": "refund"},
        {"action": "force_match"},
        {"currency": "ZZZ"},
        {"currency": "USD"},
        {"max_amount": -1},
        {"note": " "},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(Refusal):
        draft(**said)
    assert not ResolveRule.objects.exists()


def test_trying_moves_nothing() -> None:
    name = draft()
    row = fee(5)
    assert list(resolvable(ResolveRule.objects.named(name).get(), timezone.now())) == [row]
    assert (run(), state(row), balances()) == (0, "OPEN", {})
