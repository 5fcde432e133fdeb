"""A policy with its model judges, and who judged before is not who judges now."""

import threading
from typing import Any

import pytest

from risk import learning, scorers, selectors, worlds
from risk.errors import InvalidPolicy
from risk.services.train_model import train_model
from tests.patience import PATIENCE
from tests.risk.own_redis import OwnRedis, own_redis
from tests.risk.test_histories import decides, inputs_of, pay, various, whole

__all__ = ["own_redis", "whole"]

pytestmark = pytest.mark.django_db(transaction=True)


class TestModel:
    def test_its_points_and_groups_are_stored_and_decide(
        self, whole: OwnRedis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(learning, "ROUNDS", 5)
        world = worlds.generate(12, customers=200, days=42)
        learnt = train_model(
            name="default", pasts=world.pasts, days=20, source="a world", simulated=True, actor="user:1"
        )
        decides(model={"name": learnt.model, "points": [[0, 35], [999_999, 100]]})
        various(1)
        verdict = various(2)
        assert [(reason.code, reason.weight) for reason in verdict.reasons] == [("model", 35)]
        answer = inputs_of(verdict)["model"]
        assert answer["digest"] == learnt.digest and len(answer["groups"]) >= 3
        assert answer["base"] + sum(points for _, points in answer["groups"]) == answer["points"]
        assert selectors.replay(verdict.decision).same
        for thread in threading.enumerate():
            if thread.name == f"prepare {learnt.model}":
                thread.join(PATIENCE)
        assert scorers.loaded(learnt.model).scorer.looks_up
        looked_up = inputs_of(various(6))["model"]
        assert looked_up["base"] == answer["base"] and looked_up["digest"] == answer["digest"]
        decides(rates={"USD": "3"})  # who judged before is not who judges now
        later = inputs_of(various(3))
        assert "model" not in later and later["degraded"] == []
        assert inputs_of(pay(4, 100, currency="USD"))["signals"]["amount"] == 300
        decides(rates={"USD": "5"})
        assert inputs_of(pay(5, 100, currency="USD"))["signals"]["amount"] == 500

    def test_without_it_rules_decide(self, whole: OwnRedis) -> None:
        decides(model={"name": "gone@1", "points": [[0, 100]]})
        verdict = pay(1)
        assert (verdict.action, inputs_of(verdict)["degraded"]) == ("accept", ["model"])

    @pytest.mark.parametrize(
        "model", [{"name": "a"}, {"name": "a b@1", "points": []}, {"name": "a@1", "points": [[1]]}]
    )
    def test_a_policy_names_it_well(self, model: dict[str, Any]) -> None:
        with pytest.raises(InvalidPolicy):
            decides(model=model)
