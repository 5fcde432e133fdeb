"""`verify` says nothing of a sound shop, and names whatever is bent behind the services' back."""

from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from checkout.facts import WRITE_ORDERS, Item, Viewer
from checkout.invariants import check
from checkout.services.adjust_stock import adjust_stock
from checkout.services.cancel_order import cancel_order
from checkout.services.place_order import PlacedOrder
from checkout.services.ship_order import ship_order
from payments.channels.contract import Outcome
from payments.selectors import payments_of
from tests.checkout.bank import Bank
from tests.checkout.conftest import article, holder_of, pay, place
from tests.kept import kept

pytestmark = pytest.mark.django_db(transaction=True)


def broken() -> Counter[str]:
    found = [finding for _, _, findings in check() for finding in findings]
    assert all(finding.subject and finding.detail for finding in found)
    return Counter(finding.check for finding in found)


OPERATOR = Viewer(scopes=frozenset({WRITE_ORDERS}))
FATES = ("open", "paid", "shipped", "cancelled", "compensated", "revived")


@pytest.fixture
def shop(bank: Bank) -> dict[str, PlacedOrder]:
    """One order of each fate."""
    return kept("shop_of_fates", lambda: made_shop(bank))


def made_shop(bank: Bank) -> dict[str, PlacedOrder]:
    article("tea", total=10)
    orders = {fate: place(Item("tea", 1)) for fate in FATES}
    pay(orders["paid"])
    pay(orders["shipped"])
    ship_order(
        order=orders["shipped"].order.id, viewer=OPERATOR, lines=None, carrier="SF", tracking="1", key="k"
    )
    bank.starts = Outcome.ACTION_REQUIRED
    for fate in ("cancelled", "compensated", "revived"):
        pay(orders[fate], method="alipay")
        cancel_order(order=orders[fate].order.id, viewer=holder_of(orders[fate]))
    bank.tell(payments_of(orders["revived"].order.id)[0])
    adjust_stock(sku="tea", total=1, actor="user:1", reason="fire")
    bank.tell(payments_of(orders["compensated"].order.id)[0])
    return orders


def test_a_sound_shop(shop: dict[str, PlacedOrder]) -> None:
    assert broken() == {}
    assert [(name, count) for name, count, _ in check()] == [
        ("checkout.oversold", 1),
        ("checkout.reserved_is_held", 1),
        ("checkout.order_is_its_lines", 6),
        ("checkout.order_is_its_quote", 6),
        ("checkout.open_orders_hold_paid_orders_have", 6),
        ("checkout.held_for_nobody", 7),
        ("checkout.refunded_within_ordered", 0),
        ("checkout.sent_is_what_was_ordered", 1),
        ("checkout.shares_make_the_order", 1),
        ("checkout.shipments_in_journal", 1),
        ("checkout.paid_order_has_payment", 4),
        ("checkout.payment_has_paid_order", 4),
    ]


@pytest.mark.parametrize(
    ("offence", "named"),
    [
        ("UPDATE checkout_stock SET reserved = 0", {"checkout.reserved_is_held"}),
        ("UPDATE checkout_orderline SET tax = 1", {"checkout.order_is_its_lines"}),
        (
            "UPDATE checkout_order SET payable = payable + 1, shipping = 1 WHERE state = 'PENDING_PAYMENT'",
            {"checkout.order_is_its_quote"},
        ),
        ("UPDATE checkout_order SET quote = 'v1.k.AAA.x'", {"checkout.order_is_its_quote"}),
        ("UPDATE checkout_order SET quote = 'noise'", {"checkout.order_is_its_quote"}),
        (
            "UPDATE checkout_order SET state = 'CANCELLED' WHERE state = 'PENDING_PAYMENT'",
            {"checkout.held_for_nobody"},
        ),
        (
            "UPDATE checkout_order SET state = 'PENDING_PAYMENT', paid_by = '' WHERE state = 'PAID'",
            {"checkout.open_orders_hold_paid_orders_have", "checkout.payment_has_paid_order"},
        ),
        (
            "UPDATE checkout_order SET paid_by = 'pay_x' WHERE state = 'PAID'",
            {"checkout.paid_order_has_payment", "checkout.payment_has_paid_order"},
        ),
        (
            "UPDATE checkout_order SET state = 'PAID' WHERE state = 'FULFILLED'",
            {"checkout.sent_is_what_was_ordered"},
        ),
        ("UPDATE checkout_shipmentline SET quantity = 2", {"checkout.sent_is_what_was_ordered"}),
        ("UPDATE checkout_shipment SET tax_included = 0", {"checkout.shares_make_the_order"}),
        (
            "UPDATE checkout_shipment SET state = 'WAITING_FOR_MONEY'",
            {"checkout.sent_is_what_was_ordered", "checkout.shipments_in_journal"},
        ),
        ("DELETE FROM ledger_transaction WHERE business_key LIKE 'shp_%'", {"checkout.shipments_in_journal"}),
        (
            (
                "UPDATE payments_payment SET amount_captured = 1, amount_refunding = 0 WHERE reference IN"
                " (SELECT ledger_public_id('ord', id) FROM checkout_order WHERE state = 'FULFILLED')"
            ),
            {"checkout.paid_order_has_payment"},
        ),
        (
            "UPDATE payments_payment SET amount_refunding = 0",
            {"checkout.paid_order_has_payment"},
        ),
        (
            "UPDATE payments_payment SET amount_captured = 1, amount_refunding = 0 WHERE amount_captured > 0",
            {"checkout.paid_order_has_payment"},
        ),
    ],
)
def test_what_was_bent_is_named(shop: dict[str, PlacedOrder], offence: str, named: set[str]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(offence)
    assert set(broken()) == named


def test_the_oversell_check_can_fail(
    shop: dict[str, PlacedOrder], without_constraint: Callable[[str, str], None]
) -> None:
    without_constraint("checkout_stock", "stock_never_oversold")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE checkout_stock SET reserved = total + 1")
    assert "checkout.oversold" in broken()
