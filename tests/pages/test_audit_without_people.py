"""A whole order, from the cart to its refund: the audit journal names the person by reference only, or not at all."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from checkout.facts import READ_ORDERS, WRITE_ORDERS, WRITE_REFUNDS, Viewer
from checkout.models import Sku
from checkout.services.refund_order import refund_order
from checkout.services.ship_order import ship_order
from ledger.selectors import audit_trail
from payments.selectors import payments_of
from tests.checkout.bank import Bank
from tests.pages.conftest import ADDRESS, check_out, order_in

pytestmark = pytest.mark.django_db(transaction=True)

OPERATOR = Viewer(user_id=None, scopes=frozenset({READ_ORDERS, WRITE_ORDERS, WRITE_REFUNDS}))
HOME = "203.0.113.77"
PERSONAL = [
    HOME,
    "lilei",
    "Han Meimei",
    *(ADDRESS[name] for name in ("email", "name", "phone", "line1", "postal_code", "city")),
]


@pytest.fixture
def bought(tea: Sku, card_provider: Bank, browser: Callable[..., Client]) -> str:
    """The order of somebody with an account, who pays by card, gets a parcel, and sends it back."""
    user = get_user_model().objects.create_user("lilei", ADDRESS["email"], "x", first_name="Han Meimei")
    home: Any = browser()
    home.defaults["REMOTE_ADDR"] = HOME
    home.force_login(user)
    order = order_in(check_out(home, method="card", instrument="pm_1"))
    ship_order(order=order, viewer=OPERATOR, lines=None, carrier="SF", tracking="SF1", key="k1")
    refund_order(order=order, viewer=OPERATOR, reason="Broken", key="r1")
    return order


def test_no_personal_data_is_in_the_audit_journal(bought: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT action, row_to_json(entry)::text FROM ledger_auditentry AS entry")
        actions, entries = zip(*cursor.fetchall(), strict=True)
    assert {"order.state", "payment.state", "attempt.state", "shipment.state", "refund.state"} <= set(actions)
    for secret in PERSONAL:
        assert not [text for text in entries if secret.lower() in text.lower()], secret
    # Who, from where and why are there all the same.
    placed = audit_trail(bought)[0]
    assert placed.actor.startswith("user:") and placed.reason == "placing an order"
    assert placed.network == "203.0.113.0/24"
    [payment] = payments_of(bought)
    assert {entry.network for entry in audit_trail(payment.id)} >= {"203.0.113.0/24"}
