"""Newcomers and coupons: who took one where is kept, told to the next decision, and asked about by starting@3."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import Any

import pgtrigger
import pytest
from django.apps import apps
from django.db import connection, transaction
from django.utils import timezone

from risk import policies, rules, selectors, sketches, starting_v2, starting_v3
from risk.facts import AddressFacts, CustomerFacts, DeviceFacts, InstrumentFacts, PaymentFacts, Verdict
from risk.features import Evidence, inputs_of
from risk.models import Policy, Tie
from risk.services.assess import assess
from risk.states import PolicyState
from tests.risk.makers import facts
from tests.round_trips import round_trips

pytestmark = pytest.mark.django_db(transaction=True)

MIGRATION = import_module("risk.migrations.0013_coupons")
DOCUMENT: dict[str, Any] = {
    "rules": starting_v3.RULES,
    "thresholds": starting_v3.THRESHOLDS,
    "limits": starting_v3.LIMITS,
    "rates": starting_v3.RATES,
    "model": starting_v3.MODEL,
}
POLICY = policies.parse(name="starting@3", **DOCUMENT)


def newcomer(number: int, **same: Any) -> PaymentFacts:
    """Somebody new with a coupon and everything of their own, but for what is `same`; pays 100 CNY by wallet."""
    own: dict[str, Any] = {"card": "", "device": f"dev_{number}", "phone": f"p-{number}", "stage": "payment"}
    own |= {"paid": 0, "coupon": True}
    own |= {"door": f"a-{number}", "ip": f"203.0.{number}.9", "at": timezone.now()} | same
    return replace(
        facts(10_000, kind="alipay", card="", subject=f"pay_{number}", happened_at=own["at"]),
        stage=own["stage"],
        customer=CustomerFacts(
            reference=f"cus_{number}",
            email_hash=f"e-{number}",
            phone_hash=own["phone"],
            paid_orders=own["paid"],
        ),
        instrument=InstrumentFacts(kind="alipay", fingerprint=own["card"]),
        delivery=AddressFacts(country="CN", hash=own["door"]),
        device=DeviceFacts(identifier=own["device"], ip=own["ip"], ip_country="CN"),
        coupon=own["coupon"],
        challenges=("email",),
    )


def ask(question: PaymentFacts) -> Verdict:
    with transaction.atomic():
        return assess(facts=question)


def others(question: PaymentFacts) -> Any:
    return selectors.decision(ask(question).decision).inputs["coupon"]["others"]


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons if reason.code.startswith("coupon")]


def forget(**which: Any) -> None:
    """Policies that are not to have been there."""
    with pgtrigger.ignore():
        Policy.objects.filter(**which).delete()


class TestWhatIsKnown:
    def test_other_newcomers_who_took_one_are_counted_where_they_took_it(self) -> None:
        ask(newcomer(1, door="a-farm"))
        ask(newcomer(2, door="a-farm", ip="203.0.113.5", device="dev_x"))
        found = others(newcomer(3, door="a-farm", ip="203.0.113.77", device="dev_x"))
        assert found == {"address": 2, "device": 1, "network": 1}
        assert others(newcomer(3, door="a-farm")) == {"address": 2}  # never oneself

    def test_who_counts_is_new_and_pays_with_a_coupon_of_this_week(self) -> None:
        week = timezone.now() - timedelta(days=7, minutes=1)
        ask(newcomer(1, door="a-1", coupon=False))
        ask(newcomer(2, door="a-1", paid=1))
        ask(newcomer(3, door="a-1", stage="order"))
        ask(newcomer(4, door="a-1", at=week))
        assert others(newcomer(5, door="a-1")) == {}
        ask(newcomer(3, door="a-1"))  # within the hour, in which ties are not touched for less
        assert others(newcomer(5, door="a-1")) == {"address": 1}

    def test_a_crowd_at_the_door_hides_nobody_and_is_not_counted_to_its_end(self) -> None:
        for number in range(30):
            ask(newcomer(number, door="a-campus", coupon=number % 2 == 0))
        assert others(newcomer(99, door="a-campus")) == {"address": 10}

    def test_without_a_coupon_nothing_is_stored_and_old_decisions_read_none(self) -> None:
        ask(newcomer(1, device="dev_x"))
        stored = selectors.decision(ask(newcomer(2, device="dev_x", coupon=False)).decision).inputs
        assert "coupon" not in stored and "coupon" not in stored["facts"]
        judged = rules.judge(POLICY, stored)
        assert not [one for one in judged.grounds if one.code.startswith("coupon")]

    def test_it_costs_no_round_trip_and_reads_by_an_index(self) -> None:
        ask(newcomer(1))  # the policy is read once

        def trips(question: PaymentFacts) -> int:
            with transaction.atomic():
                return round_trips(lambda: assess(facts=question))

        assert trips(newcomer(2)) == trips(newcomer(3, coupon=False))
        long_ago = timezone.now() - timedelta(days=90)
        keys = [f"{number:032}" for number in range(1500)]
        at = {"first_at": long_ago, "last_at": long_ago, "coupon_at": long_ago}
        Tie.objects.bulk_create(
            Tie(customer_key=key, entity="address", entity_key="d" * 32, **at) for key in keys
        )
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE risk_tie")
            cursor.execute(
                "EXPLAIN SELECT 1 FROM risk_tie WHERE entity_key = %s AND coupon_at > %s AND customer_key <> 'x'"
                " LIMIT 10",
                ["d" * 32, timezone.now() - timedelta(days=7)],
            )
            assert "risk_tie_coupon" in str(cursor.fetchall())


class TestStarting3:
    def test_a_new_house_starts_with_it_and_those_before_may_return(self) -> None:
        assert starting_v3.RULES[: len(starting_v2.RULES)] == starting_v2.RULES
        ask(newcomer(1))  # also after a flush
        row = Policy.objects.get(state=PolicyState.ACTIVE)
        assert str(row) == "starting@3" and {name: getattr(row, name) for name in DOCUMENT} == DOCUMENT

    def test_a_house_that_has_decided_gets_it_as_a_draft(self) -> None:
        ask(newcomer(1))
        MIGRATION.add_policy(apps, connection.schema_editor())
        row = Policy.objects.latest("version")
        assert (str(row), row.state, row.rules) == ("starting@4", PolicyState.DRAFT, starting_v3.RULES)
        assert str(Policy.objects.get(state=PolicyState.ACTIVE)) == "starting@3"

    def test_a_house_whose_policy_was_touched_gets_it_as_a_draft_too(self) -> None:
        forget(version__gte=1)
        for version, state in ((1, "RETIRED"), (2, "RETIRED"), (3, "ACTIVE")):
            Policy.objects.create(name="starting", version=version, state=state, created_by="x", **DOCUMENT)
        MIGRATION.add_policy(apps, connection.schema_editor())
        assert Policy.objects.get(version=4).state == PolicyState.DRAFT
        forget(version__gte=3)
        Policy.objects.filter(version=2).update(state="ACTIVE")
        MIGRATION.add_policy(apps, connection.schema_editor())
        states = {row.version: row.state for row in Policy.objects.all()}
        assert states == {1: "RETIRED", 2: "RETIRED", 3: "ACTIVE"}

    @pytest.mark.parametrize(
        ("told", "fires"),
        [
            ({"used": True}, ""),
            ({"others_device": 1}, "coupon_again"),
            ({"others_card": 1}, "coupon_again"),
            ({"others_phone": 1}, "coupon_again"),
            ({"others_address": 9}, ""),  # a parcel station
            ({"others_network": 9}, ""),  # a carrier
            ({"others_address": 1, "others_network": 1}, ""),  # a household
            ({"others_address": 2, "others_network": 1}, "coupons_at_door"),
            ({"others_address": 1, "others_network": 2}, "coupons_at_door"),
        ],
    )
    def test_what_is_asked_about(self, told: dict[str, Any], fires: str) -> None:
        for paid in (0, 1):
            sketch = {"coupon": told, "customer": {"paid_orders": paid}}
            judged = rules.judge(POLICY, sketches.inputs_of_sketch(sketch))
            fired = [one.code for one in judged.grounds if one.code.startswith("coupon")]
            assert fired == ([fires] if fires and not paid else [])
            assert judged.action == ("challenge" if fired else "accept")

    def test_a_farm_is_asked_and_a_household_is_not(self) -> None:
        home = {"door": "a-home", "ip": "198.51.100.7"}
        assert [codes(ask(newcomer(number, **home))) for number in (1, 2)] == [[], []]
        farm = {"door": "a-farm", "ip": "198.51.9.7"}
        told = [codes(ask(newcomer(number, **farm))) for number in range(10, 16)]
        assert told == [[], [], *[["coupons_at_door"]] * 4]
        again = ask(newcomer(20, device="dev_10"))
        assert codes(again) == ["coupon_again"] and again.action == "challenge"
        assert "(1)" in again.reasons[-1].text
        assert ask(newcomer(21, device="dev_10", coupon=False)).action == "accept"

    def test_a_merchant_s_own_program_is_not_asked(self) -> None:
        """It shows neither browser nor network, so cards and phones of its customers link nobody here."""
        ask(newcomer(1, phone="p-x"))
        assert codes(ask(newcomer(2, phone="p-x", device="", ip=""))) == []


def test_fifty_accounts_at_once_are_each_counted_once() -> None:
    def take(number: int) -> None:
        try:
            ask(newcomer(number, device="dev_farm"))
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(take, range(50)))
    assert Tie.objects.filter(entity="device", coupon_at__isnull=False).count() == 50


def test_what_is_told_of_a_coupon_is_in_the_inputs_and_replays() -> None:
    evidence = Evidence(payments_last_minute={}, coupons={"device": 2})
    inputs = inputs_of(newcomer(1), evidence, {})
    assert inputs["coupon"] == {"others": {"device": 2}}
    assert rules.canonical(rules.outcome(rules.judge(POLICY, inputs))) == rules.canonical(
        rules.outcome(rules.judge(POLICY, inputs))
    )
