"""A small shop, and a payments side that can be told what happens."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from checkout.facts import Address, Client, Item, Viewer
from checkout.models import Sku, Stock
from checkout.services.pay_order import pay_order
from checkout.services.place_order import PlacedOrder, place_order
from checkout.services.preview import preview
from payments.channels import registry
from payments.selectors import PaymentView
from tests.checkout.bank import Bank, opened

HANGZHOU = Address(
    name="李雷",
    phone="+8613800138000",
    country="CN",
    region="浙江",
    city="杭州",
    line1="文三路 1 号",
    postal_code="310000",
)
GUEST = Viewer()
DESKTOP = Client(ip="127.0.0.1", device_id="device-1", language="en")


def article(code: str = "tea", price: int = 10_000, total: int = 10, **fields: Any) -> Sku:
    row = Sku.objects.create(
        code=code, title_zh=f"{code}（中文）", title_en=code.title(), price=price, **fields
    )
    Stock.objects.create(sku=row, total=total)
    return row


def quoted(*items: Item, region: str = "CN", viewer: Viewer = GUEST) -> str:
    return preview(items=items, region=region, viewer=viewer).quote


def place(*items: Item, quote: str = "", viewer: Viewer = GUEST, **changes: Any) -> PlacedOrder:
    """Place an order for `items` as the customer of this module would, but for `changes`."""
    wish: dict[str, Any] = {
        "items": items,
        "address": HANGZHOU,
        "email": "lilei@example.com",
        "viewer": viewer,
        "client": DESKTOP,
        "locale": "en",
        **changes,
    }
    wish["quote"] = quote or quoted(*items, region=wish["address"].country, viewer=viewer)
    return place_order(**wish)


def holder_of(placed: PlacedOrder, viewer: Viewer = GUEST) -> Viewer:
    return replace(viewer, order_tokens=frozenset({placed.access_token})) if placed.access_token else viewer


def pay(placed: PlacedOrder, viewer: Viewer = GUEST, method: str = "card") -> PaymentView:
    return pay_order(
        order=placed.order.id,
        viewer=holder_of(placed, viewer),
        method=method,
        instrument="pm_1" if method == "card" else "",
        client=DESKTOP,
        return_url="http://testserver/return",
    )


def stock_of(code: str) -> tuple[int, int]:
    """(total, reserved)"""
    return Stock.objects.values_list("total", "reserved").get(sku__code=code)


@pytest.fixture
def customer(django_user_model: Any) -> Viewer:
    return Viewer(user_id=get_user_model().objects.create_user("lilei", "lilei@example.com", "x").pk)


@pytest.fixture
def bank(settings: Any, transactional_db: None) -> Iterator[Bank]:
    """Every channel leads to this bank."""
    for code, credential in (("stripe", "secret_key"), ("alipay", "app_id"), ("wechat", "mchid")):
        settings.CHANNELS = {**settings.CHANNELS, code: "tests.checkout.bank.from_settings"}
        setattr(settings, code.upper(), {credential: "x"})
    registry.channel.cache_clear()
    with opened() as bank:
        yield bank
    registry.channel.cache_clear()


@pytest.fixture(autouse=True)
def mail_in_memory(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def without_constraint(transactional_db: None) -> Iterator[Callable[[str, str], None]]:
    """Drop a CHECK for one test; it is put back, over emptied rows, at the end."""
    dropped: list[tuple[str, str, str]] = []

    def drop(table: str, name: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [name])
            dropped.append((table, name, cursor.fetchone()[0]))
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")

    yield drop
    with connection.cursor() as cursor:
        for table, name, definition in dropped:
            cursor.execute(f"DELETE FROM {table}")
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
