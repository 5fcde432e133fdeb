"""The demo customer's first purchase, through the same doors as every other: it makes them a returning customer."""

import httpx
from django.conf import settings
from django.contrib.auth import get_user_model

from checkout.facts import Address, Client, Item, Viewer
from checkout.selectors.orders import orders_of
from checkout.services.pay_order import pay_order
from checkout.services.place_order import place_order
from checkout.services.preview import preview
from checkout.states import OrderState

_ARTICLE = Item("longjing-tea", 1)
_HOME = Address("Lin Yue", "+8613800138000", "CN", "Zhejiang", "Hangzhou", "1 Wenyi Road", "", "310000")
_LAPTOP = Client(ip="127.0.0.1", device_id="demo-laptop", device_kind="desktop", language="zh-hans")


def ensure_first_order(username: str) -> bool:
    """Buy a packet of tea by a Chinese card unless this customer has paid for something before.

    Only against the sandbox: raises `RuntimeError` when there is none. Returns whether it bought.
    """
    if not settings.SANDBOX_URL:
        raise RuntimeError("the first order is bought with a test card: it needs the sandbox")
    user = get_user_model().objects.get(username=username)
    viewer = Viewer(user_id=user.pk, order_tokens=frozenset())
    if any(order.state == OrderState.PAID for order in orders_of(viewer)):
        return False
    placed = place_order(
        quote=preview(items=[_ARTICLE], region=_HOME.country, viewer=viewer).quote,
        items=[_ARTICLE],
        address=_HOME,
        email=user.email,
        viewer=viewer,
        client=_LAPTOP,
        locale="zh-hans",
    )
    pay_order(
        order=placed.order.id,
        viewer=viewer,
        method="card",
        client=_LAPTOP,
        return_url=f"{settings.PUBLIC_URL}/orders/",
        instrument=_card_token(),
    )
    return True


def _card_token() -> str:
    """What the provider's card field makes of the Chinese test card in the customer's browser."""
    card = {"number": "4000001560000002", "exp_month": "12", "exp_year": "2040", "cvc": "123"}
    answer = httpx.post(
        f"{settings.STRIPE['api_base']}/v1/payment_methods",
        data={"type": "card", **{f"card[{name}]": value for name, value in card.items()}},
        headers={"Authorization": f"Bearer {settings.STRIPE['publishable_key']}"},
        timeout=10,
    )
    answer.raise_for_status()
    return str(answer.json()["id"])
