"""The trust score: the source document's weights, and each factor by hand."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from risk import trust
from risk.rings import Ring
from risk.trust import Sighting
from tests.risk.makers import NOON, facts
from tests.risk.test_devices import IN_JULY, ask, at, codes, decides, rule, seen

pytestmark = pytest.mark.django_db(transaction=True)


class TestTrust:
    OLD = Sighting(
        fingerprint="f",
        home="f",
        since=NOON,
        country="CN",
        used_since=NOON,
        used_last=IN_JULY - timedelta(days=2),
        verified_at=NOON,
        verified_as="f",
    )

    @pytest.mark.parametrize(
        ("changes", "ring", "expected"),
        [
            ({}, {}, {"age": 100, "consistency": 100, "security": 60, "activity": 100, "place": 100}),
            ({"since": IN_JULY - timedelta(days=45)}, {}, {"age": 50}),
            ({"used_since": IN_JULY - timedelta(days=15)}, {}, {"consistency": 50}),
            ({}, {"device": 3}, {"consistency": 25}),
            ({"fingerprint": "g"}, {}, {"consistency": 0, "security": 0}),
            ({"fingerprint": ""}, {}, {"consistency": 0, "security": 0}),
            ({"used_last": IN_JULY - timedelta(days=10)}, {}, {"activity": 50}),
            ({"used_last": IN_JULY - timedelta(days=31)}, {}, {"activity": 0}),
            ({"refused_at": IN_JULY - timedelta(days=29)}, {}, {"activity": 0}),
            ({"used_since": IN_JULY - timedelta(hours=5)}, {}, {"activity": 0, "consistency": 0}),
            ({"country": "US"}, {}, {"place": 0}),
            ({"country": ""}, {}, {"place": 50}),
        ],
    )
    def test_the_factors(
        self, changes: dict[str, Any], ring: dict[str, int], expected: dict[str, int]
    ) -> None:
        found = trust.factors(facts(), replace(self.OLD, **changes), Ring(shared=ring), IN_JULY)
        assert found | expected == found

    def test_the_weights_are_the_source_documents(self) -> None:
        assert [trust.WEIGHTS[name] for name in trust.WEIGHTS] == [20, 30, 20, 15, 15]
        one = {"age": 0, "consistency": 0, "security": 0, "activity": 0, "place": 0}
        assert [trust.score({**one, name: 100}) for name in one] == [20, 30, 20, 15, 15]
        assert trust.score({**one, "place": 50}) == 8  # 7.5
        best = trust.factors(facts(challenges=("passkey",)), self.OLD, Ring(), IN_JULY)
        assert trust.score(best) == 100

    def test_it_grows_with_use_and_is_kept_with_the_decision(self) -> None:
        home = at("dev_1", "f-1", ip_country="CN")
        assert seen(ask(home))["trust"] == 8  # nothing but an unknown place
        for days in (1, 10, 30, 54):
            last = seen(ask(home, happened_at=NOON + timedelta(days=days)))
        assert last["factors"] == {"age": 60, "consistency": 100, "security": 0, "activity": 50, "place": 100}
        assert last["trust"] == 65
        assert "trust" not in seen(ask(at("")))
        decides(rule("untrusted", "device.trust >= 0 && device.trust < 20"))
        assert codes(ask(at("dev_2"))) == ["untrusted"] and codes(ask(at(""))) == []
