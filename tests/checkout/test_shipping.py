"""Goods leave for money that is there: each unit once, each parcel paid, whatever happens between the steps."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from checkout import errors, selectors
from checkout.facts import WRITE_ORDERS, WRITE_REFUNDS, Item, Viewer
from checkout.invariants import check
from checkout.models import Order, Shipment, ShipmentLine
from checkout.selectors.shipments import ShipmentView
from checkout.services import take_shipment_money as taking
from checkout.services.cancel_order import cancel_order
from checkout.services.finish_orders import finish_orders
from checkout.services.mark_delivered import mark_delivered
from checkout.services.place_order import PlacedOrder
from checkout.services.refund_order import refund_order
from checkout.services.resume_shipments import resume_shipments
from checkout.services.ship_order import ship_order
from checkout.sharing import LinePart, share, tax_of
from ledger.errors import Refusal
from ledger.money import Money
from ledger.selectors import balance
from payments.channels.contract import Capability, Outcome
from payments.models import OutboxEvent
from payments.selectors import payments_of
from payments.services.carry_out_refund import carry_out_refund
from tests.checkout.bank import Bank
from tests.checkout.conftest import article, pay, place, stock_of

pytestmark = pytest.mark.django_db(transaction=True)

OPERATOR = Viewer(user_id=None, scopes=frozenset({WRITE_ORDERS, WRITE_REFUNDS, "orders:read"}))


@pytest.fixture
def on_shipment(settings: Any) -> None:
    settings.CAPTURE_ON_SHIPMENT = True


@pytest.fixture
def placed(bank: Bank) -> PlacedOrder:
    """2 × tea at 100.00 and 3 × cup at 33.33; not paid."""
    article("tea", price=10_000)
    article("cup", price=3_333)
    return place(Item("tea", 2), Item("cup", 3))


@pytest.fixture
def secured(on_shipment: None, placed: PlacedOrder) -> PlacedOrder:
    """The same, its money held."""
    assert pay(placed).state == "AUTHORIZED"
    return placed


def ship(order: PlacedOrder, lines: dict[str, int] | None = None, key: str = "k1") -> ShipmentView:
    return ship_order(
        order=order.order.id, viewer=OPERATOR, lines=lines, carrier="SF", tracking="SF1", key=key
    )


def row(placed: PlacedOrder) -> Order:
    return Order.objects.named(placed.order.id).get()


def taken(placed: PlacedOrder) -> int:
    return payments_of(placed.order.id)[0].captured.minor


def states() -> list[str]:
    return list(Shipment.objects.order_by("pk").values_list("state", flat=True))


def broken() -> list[tuple[str, str]]:
    return [(finding.check, finding.detail) for _, _, findings in check() for finding in findings]


def fen(account: str) -> int:
    return balance(account, "CNY").minor


def test_held_money_makes_the_order_paid(bank: Bank, secured: PlacedOrder) -> None:
    order = selectors.order(secured.order.id, OPERATOR)
    assert (order.state, taken(secured), bank.started[0].capture) == ("PAID", 0, False)
    assert stock_of("tea") == (8, 0)
    assert OutboxEvent.objects.filter(name="order.paid").count() == 1
    assert broken() == []


def test_what_was_paid_at_once_is_shipped_whole(bank: Bank, placed: PlacedOrder) -> None:
    pay(placed)

    parcel = ship(placed)

    assert (parcel.state, parcel.amount) == ("SENT", row(placed).owed)
    assert (row(placed).state, bank.captured) == ("FULFILLED", [])
    tax = row(placed).tax + row(placed).tax_included
    assert (fen("customer_prepayments"), fen("tax_payable:CN")) == (0, -tax)
    assert fen("sales") == tax - row(placed).payable
    assert broken() == []


def test_each_parcel_takes_its_share_and_the_last_takes_the_rest(bank: Bank, secured: PlacedOrder) -> None:
    first = ship(secured, {"tea": 1, "cup": 2}, "one")
    assert (first.state, taken(secured), row(secured).state) == ("SENT", first.amount.minor, "FULFILLING")
    assert fen("customer_prepayments") == 0
    second = ship(secured, {"tea": 1}, "two")
    last = ship(secured, None, "three")

    assert [part.sku for part in last.lines] == ["cup"]
    assert first.amount + second.amount + last.amount == row(secured).owed
    assert [request.final for request in bank.captured] == [False, False, True]
    assert (row(secured).state, taken(secured), fen("customer_prepayments")) == (
        "FULFILLED",
        row(secured).payable,
        0,
    )
    assert broken() == []
    with pytest.raises(errors.OrderNotShippable):
        ship(secured, None, "four")


def test_the_same_key_ships_once(bank: Bank, secured: PlacedOrder) -> None:
    first = ship(secured, {"tea": 1})
    assert ship(secured, {"tea": 1}).id == first.id
    assert (states(), len(bank.captured)) == (["SENT"], 1)
    with pytest.raises(errors.ShipmentKeyReused):
        ship(secured, {"tea": 2})


@pytest.mark.parametrize("lines", [{"tea": 3}, {"tea": 0}, {"tea": -1}, {"milk": 1}, {"tea": True}])
def test_only_what_was_ordered_leaves(bank: Bank, secured: PlacedOrder, lines: dict[str, int]) -> None:
    with pytest.raises(errors.ShipmentLinesInvalid):
        ship(secured, lines)
    assert (states(), taken(secured)) == ([], 0)


def test_what_is_not_paid_is_not_shipped(bank: Bank, placed: PlacedOrder) -> None:
    with pytest.raises(errors.OrderNotShippable):
        ship(placed)
    assert states() == []


@pytest.mark.parametrize("refusal", [Outcome.DECLINED, Outcome.ERRORED])
def test_refused_money_keeps_the_goods_here(bank: Bank, secured: PlacedOrder, refusal: Outcome) -> None:
    bank.captures = refusal
    with pytest.raises(errors.ShipmentNotPaid):
        ship(secured, {"tea": 1}, "one")
    assert (states(), row(secured).state, taken(secured), fen("sales")) == (["CALLED_OFF"], "PAID", 0, 0)
    bank.captures = Outcome.SUCCEEDED

    again = ship(secured, None, "two")

    assert (again.state, again.amount) == ("SENT", row(secured).owed)
    assert broken() == []


def test_a_hold_that_lapsed_at_the_capture_ends_the_order(bank: Bank, secured: PlacedOrder) -> None:
    bank.captures = Outcome.CANCELLED
    with pytest.raises(errors.ShipmentNotPaid):
        ship(secured)
    assert (states(), row(secured).state, stock_of("tea")) == (["CALLED_OFF"], "CANCELLED_AFTER_PAY", (10, 0))
    assert broken() == []


def test_an_unclear_capture_leaves_the_shipment_waiting_until_the_money_is_there(
    bank: Bank, secured: PlacedOrder
) -> None:
    bank.captures = Outcome.UNKNOWN
    waiting = ship(secured, {"tea": 1})
    assert (waiting.state, row(secured).state, fen("sales")) == ("WAITING_FOR_MONEY", "PAID", 0)
    with pytest.raises(errors.ShipmentWaiting):
        ship(secured, {"cup": 1}, "two")

    bank.tell(payments_of(secured.order.id)[0], Outcome.AUTHORIZED, waiting.amount)

    assert (states(), row(secured).state, taken(secured)) == (["SENT"], "FULFILLING", waiting.amount.minor)
    assert broken() == []


def test_an_unclear_capture_of_a_hold_that_is_gone_is_called_off(bank: Bank, secured: PlacedOrder) -> None:
    bank.captures = Outcome.UNKNOWN
    ship(secured, {"tea": 1})

    bank.tell(payments_of(secured.order.id)[0], Outcome.CANCELLED)

    assert (states(), row(secured).state, stock_of("tea")) == (["CALLED_OFF"], "CANCELLED_AFTER_PAY", (10, 0))
    assert broken() == []


class Killed(BaseException):
    pass


def dies(*_: Any, **__: Any) -> None:
    raise Killed


@pytest.mark.parametrize("step", ["_send_what_is_paid", "capture_payment"])
def test_a_process_that_died_before_the_money_was_asked_for(
    bank: Bank, secured: PlacedOrder, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(taking, step, dies)
    with pytest.raises(Killed):
        ship(secured, {"tea": 1})
    monkeypatch.undo()
    assert (states(), taken(secured), bank.captured) == (["WAITING_FOR_MONEY"], 0, [])
    assert resume_shipments(now=timezone.now()) == 0, "its own process may still be asking"

    assert resume_shipments(now=timezone.now() + timedelta(minutes=2)) == 1

    assert (states(), len(bank.captured), broken()) == (["SENT"], 1, [])


def test_where_the_channel_captures_once_the_first_parcel_takes_all(
    bank: Bank, secured: PlacedOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bank, "capabilities", Bank.capabilities - {Capability.MULTI_CAPTURE})

    first = ship(secured, {"tea": 1}, "one")
    assert taken(secured) == row(secured).payable
    assert fen("customer_prepayments") == first.amount.minor - row(secured).payable
    last = ship(secured, None, "two")

    assert (last.state, len(bank.captured), fen("customer_prepayments"), broken()) == ("SENT", 1, 0, [])


def at_once(*works: Callable[[], Any]) -> list[str]:
    def guarded(work: Callable[[], Any]) -> str:
        try:
            return str(work().state)
        except Refusal as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(guarded, works))


def test_the_table_refuses_to_ship_a_unit_twice(bank: Bank, secured: PlacedOrder) -> None:
    ship(secured, {"tea": 1}, "one")
    parcel = Shipment.objects.get()
    other = row(secured).lines.get(code="cup")
    with pytest.raises(IntegrityError, match="3 ordered"), transaction.atomic():
        ShipmentLine.objects.create(shipment=parcel, line=other, quantity=4)


def test_parcels_packed_at_once_never_hold_a_unit_twice(bank: Bank, secured: PlacedOrder) -> None:
    works = [lambda n=n: ship(secured, {"tea": 2}, f"k{n}") for n in range(4)]

    ends = at_once(*works)

    assert ends.count("SENT") == 1, ends
    assert (len(bank.captured), broken()) == (1, [])


def test_shipping_against_calling_off(bank: Bank, secured: PlacedOrder) -> None:
    at_once(
        lambda: ship(secured, {"tea": 1}),
        lambda: cancel_order(order=secured.order.id, viewer=OPERATOR),
    )

    left = Shipment.objects.left().exists()
    assert row(secured).state == ("FULFILLING" if left else "CANCELLED_AFTER_PAY")
    assert (taken(secured) > 0, broken()) == (left, [])


def test_the_merchant_calls_off_before_shipping(bank: Bank, secured: PlacedOrder) -> None:
    ended = cancel_order(order=secured.order.id, viewer=OPERATOR)

    assert (ended.state, ended.payments[0].state, stock_of("tea")) == (
        "CANCELLED_AFTER_PAY",
        "CANCELLED",
        (10, 0),
    )
    assert broken() == []


def test_once_a_part_has_left_it_is_not_called_off(bank: Bank, secured: PlacedOrder) -> None:
    ship(secured, {"tea": 1})
    with pytest.raises(errors.OrderNotCancellable):
        cancel_order(order=secured.order.id, viewer=OPERATOR)
    assert (states(), row(secured).state) == (["SENT"], "FULFILLING")


def refund(placed: PlacedOrder, minor: int | None, key: str) -> None:
    amount = None if minor is None else Money(minor, "CNY")
    asked = refund_order(order=placed.order.id, viewer=OPERATOR, amount=amount, reason="Broken", key=key)
    carry_out_refund(refund=asked.id)


def test_a_refund_after_shipping_shrinks_the_sale_and_its_tax(bank: Bank, placed: PlacedOrder) -> None:
    pay(placed)
    ship(placed)
    tax = fen("tax_payable:CN")
    refund(placed, 5_000, "a")
    assert (fen("customer_prepayments"), row(placed).returned_after_shipping) == (0, 5_000)
    assert fen("refunds") + fen("tax_payable:CN") - tax == 5_000

    refund(placed, None, "b")

    assert (fen("customer_prepayments"), fen("tax_payable:CN"), row(placed).state) == (0, 0, "FULFILLED")
    assert fen("refunds") == -fen("sales")
    assert broken() == []


def test_a_refund_is_first_for_what_has_not_left(bank: Bank, placed: PlacedOrder) -> None:
    pay(placed)
    first = ship(placed, {"tea": 1}, "one")
    rest = row(placed).payable - first.amount.minor
    refund(placed, rest, "a")
    assert (fen("refunds"), fen("customer_prepayments")) == (0, 0)

    ship(placed, None, "two")

    assert (fen("customer_prepayments"), row(placed).returned_after_shipping) == (0, rest)
    assert broken() == []


def test_an_order_whose_money_goes_back_is_not_shipped(bank: Bank, placed: PlacedOrder) -> None:
    pay(placed)
    refund_order(order=placed.order.id, viewer=OPERATOR, amount=None, reason="No", key="a")
    with pytest.raises(errors.OrderNotShippable):
        ship(placed)
    assert states() == []


def test_arrived_or_long_gone_is_done(bank: Bank, placed: PlacedOrder) -> None:
    pay(placed)
    parcels = [ship(placed, {"tea": 2}, "one"), ship(placed, None, "two")]
    assert mark_delivered(shipment=parcels[0].id, viewer=OPERATOR).state == "DELIVERED"
    assert row(placed).state == "FULFILLED"
    assert finish_orders(now=timezone.now() + timedelta(days=13)) == 0
    assert finish_orders(now=timezone.now() + timedelta(days=15)) == 1
    assert row(placed).state == "DONE"
    assert mark_delivered(shipment=parcels[1].id, viewer=OPERATOR).state == "DELIVERED"
    assert broken() == []


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=6),
    *[st.integers(0, 10**6) for _ in range(4)],
)
def test_all_parts_together_are_the_whole(
    parts: list[int], unit_price: int, discount: int, tax: int, tax_included: int
) -> None:
    quantity, sent, shares = sum(parts), 0, []
    discount = min(discount, unit_price * quantity)
    for now in parts:
        line = LinePart(
            quantity=quantity,
            sent=sent,
            now=now,
            unit_price=unit_price,
            discount=discount,
            tax=tax,
            tax_included=tax_included,
        )
        shares.append(share([line], shipping=0))
        sent += now
    assert all(part.amount >= 0 for part in shares)
    assert sum(part.amount for part in shares) == unit_price * quantity - discount + tax
    assert sum(part.tax_included for part in shares) == tax_included
    assert tax_of(100, whole=100, tax=tax) == tax
