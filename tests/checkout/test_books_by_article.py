"""Sales and returns stand in the books by article, and together they are what the order's sums say."""

import pytest

from checkout.facts import Item
from checkout.models import Order, OrderLine
from checkout.services.place_order import PlacedOrder
from ledger.models import Entry
from ledger.money import Money
from ledger.selectors import transactions_of
from payments.channels.contract import Outcome
from payments.services.approve_refund import approve_refund
from payments.services.retry_refund import retry_refund
from payments.services.settle_refund_by_hand import settle_refund_by_hand
from tests.checkout.bank import Bank
from tests.checkout.conftest import article, pay, place
from tests.checkout.test_parts_together import answered, broken
from tests.checkout.test_refunding import give_back
from tests.checkout.test_shipping import ship

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def paid(bank: Bank) -> PlacedOrder:
    """2 × tea at 99.99 and 3 × cup at 33.33."""
    article("tea", price=9_999)
    article("cup", price=3_333)
    placed = place(Item("tea", 2), Item("cup", 3))
    pay(placed)
    return placed


def by_item(account: str) -> dict[str, int]:
    """Credits positive; items at zero left out."""
    found: dict[str, int] = {}
    for row in Entry.objects.filter(account__name=account):
        found[row.item] = found.get(row.item, 0) - row.amount
    return {item: minor for item, minor in found.items() if minor}


def net(placed: PlacedOrder) -> dict[str, int]:
    """What each line brings without its tax, and the shipping under ""."""
    order = Order.objects.named(placed.order.id).get()
    lines = OrderLine.objects.filter(order=order)
    sums = {line.code: line.unit_price * line.quantity - line.tax_included for line in lines}
    return sums | ({"": order.shipping} if order.shipping else {})


def test_each_article_of_each_parcel_is_a_sale_of_its_own(bank: Bank, paid: PlacedOrder) -> None:
    ship(paid, {"tea": 1, "cup": 2}, "one")
    first = by_item("sales")
    assert set(first) >= {"tea", "cup"} and first != net(paid)
    ship(paid, None, "two")
    assert by_item("sales") == net(paid)
    assert broken() == []


def test_what_comes_back_is_taken_from_its_article(bank: Bank, paid: PlacedOrder) -> None:
    ship(paid)
    give_back(paid, lines={"tea": 1})
    assert set(by_item("refunds")) == {"tea"}
    give_back(paid, "k2", lines={"cup": 1})
    once = by_item("refunds")
    assert set(once) == {"tea", "cup"}
    give_back(paid, "k3")
    assert by_item("refunds") == {item: -minor for item, minor in by_item("sales").items()}
    assert broken() == []


def test_an_amount_that_names_no_article_is_no_articles(bank: Bank, paid: PlacedOrder) -> None:
    ship(paid)
    give_back(paid, lines={"tea": 1})
    tea = by_item("refunds")["tea"]
    give_back(paid, "k2", amount=Money(500, "CNY"))
    found = by_item("refunds")
    assert abs(found["tea"] - tea) <= 1 and -500 <= found[""] < 0 and set(found) == {"tea", ""}
    assert broken() == []


def test_a_refund_that_came_back_is_a_sale_again(bank: Bank, paid: PlacedOrder) -> None:
    ship(paid)
    refund = give_back(paid, lines={"tea": 1})
    there = by_item("refunds")
    answered(refund, Outcome.DECLINED)
    assert by_item("refunds") == {}
    bank.refunds = Outcome.DECLINED
    retry_refund(refund=refund.id, actor="user:7")
    assert by_item("refunds") == there
    answered(refund, Outcome.DECLINED)
    settle_refund_by_hand(refund=refund.id, account="main", reference="T1", actor="user:7")
    approve_refund(refund=refund.id, actor="user:8")
    assert by_item("refunds") == there
    assert broken() == []


def test_goods_that_had_not_left_are_no_returned_sale(bank: Bank, paid: PlacedOrder) -> None:
    ship(paid, {"tea": 2}, "one")
    give_back(paid, lines={"cup": 3})
    assert by_item("refunds") == {}
    give_back(paid, "k2", lines={"tea": 1})
    assert set(by_item("refunds")) == {"tea"}
    assert all(len(one.entries) >= 2 for one in transactions_of(paid.order.id))
    assert broken() == []
