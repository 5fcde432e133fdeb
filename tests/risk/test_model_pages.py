"""A model's card with its plots: figures that fit the frame, and a page that says how old it is and who asks it."""

import random
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from risk import cards, measures, starting
from risk.models import RiskModel
from risk.pages.plots import HEIGHT, WIDTH, plots_of
from risk.services.draft_policy import draft_policy
from tests.reconciliation.operators import person

COUNT = 3_000


def later() -> dict[str, Any]:
    """Scores of which most are right, over six weeks."""
    dice = random.Random(7)
    fraud = [int(dice.random() < 0.03) for _ in range(COUNT)]
    scores = [dice.gauss(-5 + 5 * label, 1.0) for label in fraud]
    days = [20_000 + n * 42 // COUNT for n in range(COUNT)]
    return {
        **cards.detection(scores, fraud),
        "payments": COUNT,
        "frauds": sum(fraud),
        "calibration": cards.calibration(scores, fraud),
        "curve": measures.curve(scores, fraud),
        "histogram": cards.histogram(scores, fraud),
        "weeks": cards.by_week(scores, fraud, days),
        "influence": {"amount": 1.2},
    }


def test_the_curve_by_hand() -> None:
    scores, labels = [4.0, 3.0, 2.0, 1.0], [1, 0, 1, 0]
    assert measures.curve(scores, labels) == [(0.5, 1.0), (1.0, 0.6667)]
    assert measures.curve([1.0, 1.0], [1, 0]) == [(1.0, 0.5)]
    assert measures.curve([1.0], [0]) == []
    assert len(measures.curve(list(range(1000)), [1] * 1000, most=10)) <= 11


def test_the_histogram_and_the_weeks_count_everybody() -> None:
    told = later()
    bins = told["histogram"]
    assert sum(one["honest"] for one in bins) == COUNT - told["frauds"]
    assert sum(one["fraud"] for one in bins) == told["frauds"]
    assert [one["payments"] for one in told["weeks"]] == [500] * 6
    assert told["weeks"][0]["from"] == "2024-10-04" and all("ap" in one for one in told["weeks"])
    alone = cards.by_week([1.0], [0], [20_000])
    assert alone == [{"from": "2024-10-04", "payments": 1, "frauds": 0}]


def test_everything_is_drawn_within_the_frame() -> None:
    plots = plots_of({"later": later()})
    assert [plot.name for plot in plots] == ["curve", "calibration", "histogram", "weeks"]
    for plot in plots:
        points = [tuple(map(float, pair.split(","))) for pair in plot.line.split()]
        for x, y in (*points, *plot.dots, *((bar.x, bar.y) for bar in plot.bars)):
            assert 0 <= x <= WIDTH and 0 <= y <= HEIGHT
        assert all(bar.height >= 0 and bar.width > 0 for bar in plot.bars)
        assert plot.rows and all(len(row) == len(plot.head) for row in plot.rows)


@pytest.mark.parametrize("card", [{}, {"later": {}}, {"later": {"calibration": []}}])
def test_what_older_models_did_not_keep_is_not_drawn(card: dict[str, Any]) -> None:
    assert plots_of(card) == []


@pytest.mark.django_db(transaction=True)
def test_the_page_shows_age_plots_and_who_asks() -> None:
    last = (timezone.now() - timedelta(days=100)).date().isoformat()
    card = {"source": "<b>own</b>", "simulated": True, "last_day": last, "later": later()}
    crowned = timezone.now() - timedelta(days=12)
    row = RiskModel.objects.create(
        name="default",
        version=1,
        text="",
        schema=[],
        digest="",
        key="",
        signature="",
        card=card,
        crowned_at=crowned,
    )
    asks = draft_policy(
        name="learnt",
        rules=starting.RULES,
        thresholds=starting.THRESHOLDS,
        limits=starting.LIMITS,
        rates=starting.RATES,
        actor="user:1",
        model={"name": str(row), "points": [[500_000, 20]]},
    )
    ana = person("risk analyst")
    page = ana.get("/console/risk/models/default@1/")
    shown = page.text
    assert page.status_code == 200 and page.context["age"].data in (99, 100, 101)
    assert page.context["age"].crown == 12 and ">old<" in shown.replace("\n", "").replace(" ", "")
    for plot in ("curve", "calibration", "histogram", "weeks"):
        assert f'data-testid="plot-{plot}"' in shown
    assert (
        asks in shown
        and "&lt;b&gt;own" in shown
        and "made up" in shown
        and "style=" not in shown.split("<main")[-1]
    )
    assert "/console/risk/models/default@1/" in ana.get(f"/console/risk/policies/{asks}/").text
    assert "/console/risk/models/default@1/" in ana.get("/console/risk/riskmodel/").text
    assert ana.get("/console/risk/models/default@9/").status_code == 404
    assert person("support").get("/console/risk/models/default@1/").status_code == 403
