"""The demo shop has what the demo needs, however often it is seeded."""

import pytest

from checkout import selectors
from checkout.facts import Item
from checkout.services.adjust_stock import adjust_stock
from checkout.services.preview import preview
from checkout.services.seed_catalogue import seed_catalogue
from tests.checkout.conftest import GUEST, stock_of

pytestmark = pytest.mark.django_db


def test_seeding_twice_is_seeding_once() -> None:
    assert seed_catalogue() == 8
    adjust_stock(sku="desk-lamp", total=7, actor="user:1", reason="counted")
    assert seed_catalogue() == 0
    assert stock_of("desk-lamp") == (7, 0)


@pytest.mark.parametrize("region", ["CN", "US"])
def test_the_amounts_of_the_four_cases_can_be_bought_to_the_fen(region: str) -> None:
    seed_catalogue()
    totals = {
        preview(items=[Item(article.code, 1)], region=region, viewer=GUEST).breakdown.payable.minor
        for article in selectors.catalogue()
    }
    assert {10_000, 20_000, 500_000, 800_000} <= totals


def test_every_article_speaks_both_languages_and_one_is_the_last_of_its_kind() -> None:
    seed_catalogue()
    goods = selectors.catalogue()
    assert all(
        g.title("zh-hans") != g.title("en") and g.description("zh") and g.description("en") for g in goods
    )
    assert [g.code for g in goods if g.available == 1] == ["mechanical-watch"]
    assert all(g.image.endswith(".svg") for g in goods)
