"""What machines are told, over HTTP: who may read it, and that each figure says what is so."""

from collections.abc import Callable
from datetime import timedelta
from math import inf
from typing import Any

import pgtrigger
import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from risk import gauges
from risk.features import calendar_day
from risk.models import Alert, Decision, DecisionCount, RiskCase, RiskModel
from risk.services.assess import assess
from risk.services.count_decisions import count_decisions
from risk.services.rebuild_histories import rebuild_histories
from tests.risk.makers import facts
from tests.risk.own_redis import OwnRedis, own_redis
from tests.risk.test_limits import decides

__all__ = ["own_redis"]

pytestmark = pytest.mark.django_db(transaction=True)
TOKEN = "a token of the tests"


@pytest.fixture
def told(settings: Any) -> Callable[[], dict[str, float]]:
    settings.METRICS_TOKEN = TOKEN

    def ask() -> dict[str, float]:
        answer = Client().get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200 and answer["Content-Type"].startswith("text/plain; version=0.0.4")
        assert "no-store" in answer["Cache-Control"]
        lines = [line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#")]
        return {name.removeprefix("smart_checkout_risk_"): float(figure) for name, _, figure in lines}

    return ask


def decide(count: int, **others: Any) -> None:
    for number in range(count):
        with transaction.atomic():
            assess(facts=facts(subject=f"pay_{number}_{len(others)}", **others))


def test_only_who_has_the_token_reads_it(settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    assert Client().get("/metrics", headers={"authorization": "Bearer "}).status_code == 404
    settings.METRICS_TOKEN = TOKEN
    for given in ({}, {"authorization": "Bearer another"}, {"authorization": TOKEN}):
        refused = Client().get("/metrics", headers=given)
        assert refused.status_code == 401 and "risk_" not in refused.text
    assert Client().post("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 405


def test_decisions_are_counted_once_whoever_counts(told: Callable[[], dict[str, float]]) -> None:
    decides({}, deadline_ms=9999)  # on a busy machine a decision is late before it finds no histories
    decide(3)
    decide(2, amount=500_000, to="US")
    assert told()['decisions_total{stage="payment",action="accept"}'] == 0  # not settled yet
    later = timezone.now() + timedelta(minutes=3)
    count_decisions(now=later)
    count_decisions(now=later)
    found = told()
    taken = {name: figure for name, figure in found.items() if name.startswith("decisions_total") and figure}
    assert sum(taken.values()) == Decision.objects.count() == 5
    assert taken['decisions_total{stage="payment",action="review"}'] == 2
    # Nobody keeps histories in this test: each of them went without.
    assert found['decisions_degraded_total{reason="velocity"}'] == 5
    assert found['decisions_degraded_total{reason="deadline"}'] == 0
    decide(1, kind="wallet")
    count_decisions(now=later + timedelta(minutes=3))
    assert told()['decisions_degraded_total{reason="velocity"}'] == 6


def test_alerts_and_cases(told: Callable[[], dict[str, float]]) -> None:
    decide(2, amount=500_000, to="US")
    RiskCase.objects.filter(pk=RiskCase.objects.first().pk).update(decide_by=timezone.now())  # type: ignore[union-attr]
    today = calendar_day(timezone.now())
    for subject in ("accept", "reject"):
        Alert.objects.raise_once("jump", subject, today, {})
    Alert.objects.raise_once("drift", "payment.currency", today, {}, ended_at=timezone.now())
    found = told()
    assert (found['alerts_open{kind="jump"}'], found['alerts_open{kind="drift"}']) == (2, 0)
    assert (found['cases_open{kind="hold"}'], found['cases_overdue{kind="hold"}']) == (2, 1)
    assert found['cases_open{kind="sample"}'] == 0


def test_ages_of_the_model_and_the_histories(
    told: Callable[[], dict[str, float]], own_redis: OwnRedis
) -> None:
    assert told()["histories_behind_seconds"] == told()["histories_rebuilt_age_seconds"] == inf
    rebuild_histories()
    row = RiskModel.objects.get(state="CHAMPION")
    assert f'champion_data_age_seconds{{model="{row}"}}' not in told()  # it learnt from days that never were
    ended = calendar_day(timezone.now()) - timedelta(days=100)
    with pgtrigger.ignore("risk.RiskModel:frozen"):
        RiskModel.objects.filter(pk=row.pk).update(card={"last_day": ended.isoformat()})
    found = told()
    assert found[f'champion_data_age_seconds{{model="{row}"}}'] == 100 * 86_400
    assert found["histories_behind_seconds"] < 60 and found["histories_rebuilt_age_seconds"] < 60


def test_asking_is_cheap_and_bounded() -> None:
    decide(4)
    DecisionCount.objects.create(stage="payment", action="accept", degraded="", decisions=10**12)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        found = list(gauges.metrics(now=timezone.now()))
    assert len(asked) <= 4 and not any('risk_decision"' in one["sql"] for one in asked)
    assert sum(len(one.samples) for one in found) < 50
