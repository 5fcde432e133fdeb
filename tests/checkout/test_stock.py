"""Stock under a crowd: never more is sold than there is."""

from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from checkout.errors import (
    OutOfStock,
    PurchaseLimitExceeded,
    QuantityInvalid,
    QuoteReplayed,
    SkuUnknown,
    StockInUse,
)
from checkout.facts import Item
from checkout.models import Order, Reservation, Stock
from checkout.selectors import OrderView
from checkout.services.adjust_stock import adjust_stock
from checkout.services.place_order import PlacedOrder
from ledger.models import AuditEntry
from tests.checkout.conftest import article, place, quoted, stock_of
from tests.checkout.crowd import run

BUYERS = 200


@pytest.mark.django_db(transaction=True)
def test_two_hundred_buyers_for_one_unit_make_one_order() -> None:
    article("watch", total=1)
    quotes = [quoted(Item("watch", 1)) for _ in range(BUYERS)]

    outcomes = run(lambda quote: place(Item("watch", 1), quote=quote), quotes, at_once=50)

    assert sum(isinstance(outcome, PlacedOrder) for outcome in outcomes) == 1
    refusals = [outcome for outcome in outcomes if isinstance(outcome, OutOfStock)]
    assert len(refusals) == BUYERS - 1
    assert all(refusal.context["remaining"] == 0 for refusal in refusals)
    assert (stock_of("watch"), Order.objects.count(), Reservation.objects.count()) == ((1, 1), 1, 1)


@pytest.fixture
def unguarded() -> Iterator[None]:
    """DEMONSTRATION ONLY: a stock table of its own, without the CHECK, that is read first and written afterwards."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE scratch_stock (total int, reserved int)")
        cursor.execute("INSERT INTO scratch_stock VALUES (1, 0)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE scratch_stock")


def buy_unguarded(_: int) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT total - reserved FROM scratch_stock")
        if cursor.fetchone()[0] < 1:
            return False
        cursor.execute("SELECT pg_sleep(0.05)")  # the rest of placing an order
        cursor.execute("UPDATE scratch_stock SET reserved = reserved + 1")
        return True


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("unguarded")
def test_the_same_crowd_without_the_guard_oversells() -> None:
    outcomes = run(buy_unguarded, range(BUYERS), at_once=50)

    assert outcomes.count(True) > 1, "the race that the guard closes did not show"
    with connection.cursor() as cursor:
        cursor.execute("SELECT total, reserved FROM scratch_stock")
        total, reserved = cursor.fetchone()
    assert reserved == outcomes.count(True) > total


@pytest.mark.django_db(transaction=True)
def test_carts_that_overlap_crosswise_neither_deadlock_nor_oversell() -> None:
    for code in ("cup", "pot", "tea"):
        article(code, total=12)
    carts = [
        (Item("tea", 1), Item("cup", 1)),
        (Item("cup", 1), Item("pot", 1)),
        (Item("pot", 1), Item("tea", 1)),
    ] * 10
    offers = [(cart, quoted(*cart)) for cart in carts]

    outcomes = run(lambda offer: place(*offer[0], quote=offer[1]), offers)

    placed = [outcome for outcome in outcomes if isinstance(outcome, PlacedOrder)]
    assert {type(outcome) for outcome in outcomes} == {PlacedOrder, OutOfStock}
    for code in ("cup", "pot", "tea"):
        total, reserved = stock_of(code)
        assert (
            reserved
            == sum(line.quantity for done in placed for line in done.order.lines if line.sku == code)
            <= total
        )
    assert len(placed) >= 12


@pytest.mark.django_db(transaction=True)
def test_one_quote_pressed_many_times_at_once_is_one_order() -> None:
    article(total=50)
    quote = quoted(Item("tea", 1))

    outcomes = run(lambda _: place(Item("tea", 1), quote=quote), range(16))

    [order] = [outcome.order for outcome in outcomes if isinstance(outcome, PlacedOrder)]
    assert isinstance(order, OrderView)
    replays = [outcome for outcome in outcomes if isinstance(outcome, QuoteReplayed)]
    assert len(replays) == 15 and {replay.context["order"] for replay in replays} == {order.id}
    assert stock_of("tea") == (50, 1)


@pytest.mark.django_db(transaction=True)
def test_a_purchase_limit_holds_against_many_tabs() -> None:
    article(total=50, purchase_limit=2)
    quotes = [quoted(Item("tea", 1)) for _ in range(16)]

    outcomes = run(lambda quote: place(Item("tea", 1), quote=quote), quotes)

    assert sum(isinstance(outcome, PlacedOrder) for outcome in outcomes) == 2
    assert sum(isinstance(outcome, PurchaseLimitExceeded) for outcome in outcomes) == 14
    assert stock_of("tea") == (50, 2)


@pytest.mark.django_db
def test_what_moves_together_moves_whole_or_not_at_all() -> None:
    cup, tea = article("cup", total=1), article("tea", total=5)

    assert not Stock.objects.take({tea.pk: 1, cup.pk: 2})
    assert not Stock.objects.take({tea.pk: 1, Order().pk: 1})
    assert not Stock.objects.give_back({tea.pk: 1})
    assert not Stock.objects.hand_over({tea.pk: 1})
    assert (stock_of("tea"), stock_of("cup")) == ((5, 0), (1, 0))
    assert Stock.objects.take({tea.pk: 3, cup.pk: 1})
    assert Stock.objects.hand_over({tea.pk: 2})
    assert Stock.objects.give_back({tea.pk: 1, cup.pk: 1})
    assert Stock.objects.put_back({tea.pk: 1})
    assert (stock_of("tea"), stock_of("cup")) == ((4, 0), (1, 0))


@pytest.mark.django_db
def test_stock_is_set_by_hand_but_never_below_what_orders_hold() -> None:
    article(total=5)
    place(Item("tea", 3))

    for sku, total, refusal in [
        ("tea", 2, StockInUse),
        ("tea", -1, QuantityInvalid),
        ("none", 1, SkuUnknown),
    ]:
        with pytest.raises(refusal):
            adjust_stock(sku=sku, total=total, actor="user:1", reason="counted")
    assert stock_of("tea") == (5, 3)
    adjust_stock(sku="tea", total=3, actor="user:1", reason="counted")
    assert stock_of("tea") == (3, 3)
    entry = AuditEntry.objects.get(action="stock.adjusted")
    assert (entry.actor, entry.reason, entry.before, entry.after) == ("user:1", "counted", 5, 3)
