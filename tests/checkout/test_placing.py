"""Placing an order: what is stored and held, and every refusal, after which nothing has moved."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from checkout import errors, selectors
from checkout.facts import READ_ORDERS, Address, Item, Viewer
from checkout.models import Order, OrderLine, Reservation, Sku, Stock
from checkout.selectors.orders import token_hash
from checkout.services.preview import preview
from checkout.states import OrderState
from ledger.models import AuditEntry
from ledger.money import Money
from payments.models import OutboxEvent
from risk.models import Decision
from risk.services.add_list_entry import add_list_entry
from tests.checkout.conftest import GUEST, HANGZHOU, article, holder_of, place, quoted, stock_of

pytestmark = pytest.mark.django_db


def rows() -> tuple[int, ...]:
    return tuple(m.objects.count() for m in (Order, OrderLine, Reservation, OutboxEvent))


def test_an_order_holds_its_stock_and_stores_what_was_promised() -> None:
    article("tea", 10_000, total=5)
    article("cup", 2_500, total=5)
    quote = quoted(Item("tea", 2), Item("cup", 1))

    placed = place(Item("cup", 1), Item("tea", 2), quote=quote)

    order = placed.order
    assert (order.state, order.payable) == (OrderState.PENDING_PAYMENT, Money(22_500, "CNY"))
    assert [(line.sku, line.quantity, line.total.minor) for line in order.lines] == [
        ("cup", 1, 2_500),
        ("tea", 2, 20_000),
    ]
    assert (stock_of("tea"), stock_of("cup")) == ((5, 2), (5, 1))
    row = Order.objects.get()
    assert row.quote == quote and row.access_token_hash == token_hash(placed.access_token)
    assert {r.expires_at for r in row.reservations.all()} == {row.expires_at}
    assert timedelta(minutes=14) < row.expires_at - timezone.now() <= timedelta(minutes=15)
    assert OutboxEvent.objects.get().name == "order.placed"
    assert Decision.objects.get(subject=order.id).stage == "order"
    assert AuditEntry.objects.filter(object_id=order.id, after="PENDING_PAYMENT", actor="guest").exists()
    assert order == selectors.order(order.id, holder_of(placed))


def test_only_its_customer_sees_an_order(customer: Viewer, django_user_model: Any) -> None:
    article()
    of_guest, of_customer = place(Item("tea", 1)), place(Item("tea", 1), viewer=customer)
    stranger = Viewer(
        user_id=django_user_model.objects.create_user("hanmeimei").pk, order_tokens=frozenset({"", "x"})
    )

    assert of_customer.access_token == ""
    assert selectors.order(of_customer.order.id, customer).id == of_customer.order.id
    for order, viewer in [
        (of_guest.order.id, customer),
        (of_guest.order.id, stranger),
        (of_guest.order.id, GUEST),
        (of_customer.order.id, stranger),
        (of_customer.order.id, holder_of(of_guest)),
        ("ord_00000000000000000000000000", customer),
        ("pay_x", customer),
        ("\x00", customer),
    ]:
        with pytest.raises(errors.OrderNotFound):
            selectors.order(order, viewer)
    assert selectors.orders_of(stranger) == []
    assert [o.id for o in selectors.orders_of(customer)] == [of_customer.order.id]
    assert [o.id for o in selectors.orders_of(holder_of(of_guest, customer))] == [
        of_customer.order.id,
        of_guest.order.id,
    ]
    operator = Viewer(scopes=frozenset({READ_ORDERS}))
    newest, oldest = selectors.orders_of(operator)
    assert selectors.orders_of(operator, limit=1) == [newest]
    assert selectors.orders_of(operator, before=newest.id) == [oldest]


def _other_cart(quote: str) -> dict[str, Any]:
    return {"items": (Item("tea", 2),)}


def _forged(quote: str) -> dict[str, Any]:
    return {"quote": quote[:-2] + "AA"}


def _elsewhere(quote: str) -> dict[str, Any]:
    return {"address": replace(HANGZHOU, country="US")}


def _dearer(quote: str) -> dict[str, Any]:
    Sku.objects.update(price=10_001)
    return {}


def _withdrawn(quote: str) -> dict[str, Any]:
    Sku.objects.update(active=False)
    return {}


def _bad_email(quote: str) -> dict[str, Any]:
    return {"email": "not an address"}


@pytest.mark.parametrize(
    ("spoil", "refusal"),
    [
        (_other_cart, errors.QuoteTampered),
        (_forged, errors.QuoteTampered),
        (_elsewhere, errors.QuoteStale),
        (_dearer, errors.QuoteStale),
        (_withdrawn, errors.SkuUnknown),
        (_bad_email, errors.EmailInvalid),
    ],
)
def test_a_refused_order_leaves_no_trace(
    spoil: Callable[[str], dict[str, Any]], refusal: type[Exception]
) -> None:
    article()
    quote = quoted(Item("tea", 1))
    before = rows(), stock_of("tea")

    with pytest.raises(refusal):
        place(**{"quote": quote, "items": (Item("tea", 1),), **spoil(quote)})

    assert (rows(), stock_of("tea")) == before


def test_an_expired_quote_buys_nothing() -> None:
    article()
    quote = quoted(Item("tea", 1))
    with time_machine.travel(timezone.now() + timedelta(minutes=15)), pytest.raises(errors.QuoteExpired):
        place(Item("tea", 1), quote=quote)
    assert rows() == (0, 0, 0, 0) and stock_of("tea") == (10, 0)


def test_a_quote_buys_once_even_when_the_rest_is_gone() -> None:
    article(total=1)
    quote = quoted(Item("tea", 1))
    first = place(Item("tea", 1), quote=quote)

    with pytest.raises(errors.QuoteReplayed) as replayed:
        place(Item("tea", 1), quote=quote)

    assert replayed.value.context == {"order": first.order.id}
    assert stock_of("tea") == (1, 1) and Order.objects.count() == 1


def test_several_articles_are_all_or_nothing() -> None:
    for code, total in (("tea", 5), ("cup", 1), ("pot", 5)):
        article(code, total=total)
    before = rows()

    with pytest.raises(errors.OutOfStock) as short:
        place(Item("tea", 1), Item("cup", 2), Item("pot", 1))

    assert short.value.context == {"sku": "cup", "wanted": 2, "remaining": 1}
    assert rows() == before
    assert [stock_of(code) for code in ("tea", "cup", "pot")] == [(5, 0), (1, 0), (5, 0)]


def test_unknown_articles_and_empty_or_endless_carts() -> None:
    article()
    for items, refusal in [
        ((Item("nothing", 1),), errors.SkuUnknown),
        ((), errors.CartEmpty),
        (tuple(Item(f"x{n}", 1) for n in range(51)), errors.CartTooLarge),
        ((Item("tea", 999), Item("tea", 1)), errors.QuantityInvalid),
    ]:
        with pytest.raises(refusal):
            preview(items=items, region="CN", viewer=GUEST)


@pytest.mark.parametrize(
    "wrong",
    [
        {"country": "cn"},
        {"country": ""},
        {"name": " "},
        {"city": ""},
        {"line1": "x" * 201},
        {"line2": "\x00"},
    ],
)
def test_an_address_is_a_place(wrong: dict[str, str]) -> None:
    with pytest.raises(errors.AddressInvalid) as refusal:
        replace(HANGZHOU, **wrong)
    assert refusal.value.param == f"address.{next(iter(wrong))}"
    assert isinstance(HANGZHOU, Address)


def test_a_purchase_limit_counts_what_was_ordered_before(customer: Viewer) -> None:
    article(purchase_limit=2)
    place(Item("tea", 1), viewer=customer)
    place(Item("tea", 1), email="LiLei@example.com ", viewer=customer)
    before = rows()

    with pytest.raises(errors.PurchaseLimitExceeded):
        preview(items=[Item("tea", 1)], region="CN", viewer=customer)
    quote = quoted(Item("tea", 1))
    with pytest.raises(errors.PurchaseLimitExceeded) as refusal:
        place(Item("tea", 1), quote=quote)  # a guest with the same e-mail address

    assert refusal.value.context == {"sku": "tea", "limit": 2, "bought": 2}
    assert rows() == before and stock_of("tea") == (10, 2)
    place(Item("tea", 1), email="hanmeimei@example.com")


def test_whom_risk_refuses_holds_nothing() -> None:
    article()
    add_list_entry(kind="black", entity="device", value="device-1", reason="seen before", actor="user:1")
    quote = quoted(Item("tea", 1))

    with pytest.raises(errors.OrderRejected) as refusal:
        place(Item("tea", 1), quote=quote)

    row = Order.objects.get()
    assert (row.state, row.public_id) == (OrderState.REJECTED, refusal.value.context["order"])
    assert stock_of("tea") == (10, 0) and not OutboxEvent.objects.exists()


def test_the_database_keeps_orders_honest_even_against_us() -> None:
    article()
    place(Item("tea", 1))
    for change in ({"payable": 1}, {"subtotal": 1, "payable": 1}, {"paid_by": "pay_x"}, {"state": "LOST"}):
        with pytest.raises(Exception, match="order_"), transaction.atomic():
            Order.objects.update(**change)
    with pytest.raises(IntegrityError, match="stock_never_oversold"), transaction.atomic():
        Stock.objects.update(reserved=11)
    with pytest.raises(Exception, match="order_line_is_kept"), transaction.atomic():
        OrderLine.objects.update(quantity=2)
    for quantity in (0, -1):
        with pytest.raises(IntegrityError, match="quantity_positive"), transaction.atomic():
            Reservation.objects.update(quantity=quantity)
