"""Five attacks on a small shop, lived through the product's own decision: labels first, then answers."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from bench.attacks import judge
from bench.attacks.attackers import attack
from bench.attacks.people import shoppers
from bench.attacks.policy import decide_by
from bench.attacks.script import ATTACKS, DAYS, HONEST, Plan, Visit, digest
from bench.attacks.shop import Shop
from risk.models import Decision, Outcome
from tests.risk.own_redis import own_redis as own_redis

pytestmark = pytest.mark.django_db(transaction=True)


def planned(seed: int, persons: int) -> list[Visit]:
    plan = Plan(seed)
    attack(plan, shoppers(plan, persons))
    return plan.written()


def test_a_script_is_the_same_every_time_and_its_labels_are_there_before_any_answer() -> None:
    first, again, other = planned(1, 200), planned(1, 200), planned(2, 200)
    assert digest(first) == digest(again) != digest(other)
    assert {visit.attack for visit in first} == {HONEST, *ATTACKS}
    assert [visit.at for visit in first] == sorted(visit.at for visit in first)
    assert (first[-1].at - first[0].at).days in (DAYS - 1, DAYS)
    assert all(first[visit.again].buyer == visit.buyer for visit in first if visit.again >= 0)
    whole = Counter(visit.attack == HONEST for visit in planned(3, 1500))
    assert whole[True] >= 3000 and whole[False] >= 300


def test_a_small_shop_under_attack(own_redis: Any) -> None:
    """Of each attack a part, so that it takes seconds; `python -m bench.attacks` has all of it."""
    few: Counter[str] = Counter()
    visits = []
    for visit in planned(11, 40):
        few[visit.group or visit.attack] += 1
        if visit.attack == HONEST or few[visit.group] <= 16:
            visits.append(visit)
    names = {visit.number: place for place, visit in enumerate(visits)}
    told = [replace(one, number=names[one.number], again=names.get(one.again, -1)) for one in visits]
    decide_by(graph=True, model=True)
    shop = Shop(11)
    figures = judge.figures(shop.live(told), shop.bought)
    assert figures["honest"]["rejected_pct"] == 0 and figures["honest"]["asked_pct"] < 5
    assert figures["attacks"]["stopped_or_asked_pct"] > 80
    assert figures["attacks"]["causes"]["model"] > 30 and figures["degraded"] == 0
    assert Decision.objects.count() == len(told)
    assert Outcome.objects.filter(kind="dispute", fraud=True).exists()
