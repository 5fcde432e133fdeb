"""A parcel that leaves is sold in the journal at the same commit, or it does not leave."""

from typing import Any

import pytest
from django.db import IntegrityError

from checkout.facts import Item
from checkout.models import Shipment
from checkout.services import send_shipment
from checkout.services.place_order import PlacedOrder
from ledger.facts import Entry
from ledger.services.post import post
from payments.channels.contract import Outcome
from tests.checkout.bank import Bank
from tests.checkout.conftest import article, pay, place
from tests.checkout.test_parts_together import ship
from tests.ledger.books import cny, nothing_moves, run


@pytest.fixture
def paid(bank: Bank) -> PlacedOrder:
    article("tea", price=10_000)
    order = place(Item("tea", 2))
    assert pay(order).state == "SUCCEEDED"
    return order


def forgets(**_: Any) -> None:
    """In place of `post`: a service that was broken by whoever wrote it last."""


def a_fen_less(**asked: Any) -> Any:
    by_name = {line.account: line.amount for line in asked.pop("entries")}
    by_name["sales"] += cny(1)
    by_name["customer_prepayments"] -= cny(1)
    return post(entries=[Entry(name, amount) for name, amount in by_name.items()], **asked)


@pytest.mark.parametrize("broken_post", [forgets, a_fen_less])
def test_a_parcel_without_its_sale(
    monkeypatch: pytest.MonkeyPatch, paid: PlacedOrder, broken_post: Any
) -> None:
    monkeypatch.setattr(send_shipment, "post", broken_post)
    with nothing_moves(), pytest.raises(IntegrityError, match=r"^shp_\w+ moved 20000 CNY of customer_prepay"):
        ship(paid)
    assert not Shipment.objects.left().exists()


def test_a_parcel_that_raw_sql_lets_go(bank: Bank, settings: Any) -> None:
    settings.CAPTURE_ON_SHIPMENT = True
    article("tea", price=10_000)
    held = place(Item("tea", 2))
    pay(held)
    bank.captures = Outcome.UNKNOWN
    ship(held)
    with nothing_moves(), pytest.raises(IntegrityError, match=r"the journal has 0 under shp_\w+:shipped"):
        run("UPDATE checkout_shipment SET state = 'SENT', sent_at = now()")
    assert Shipment.objects.get().state == "WAITING_FOR_MONEY"
