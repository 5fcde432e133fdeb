"""Orders as their customers and operators see them."""

from dataclasses import dataclass
from datetime import datetime

from checkout.facts import Address, Viewer
from checkout.states import OrderState
from ledger.money import Money
from payments.selectors import PaymentView


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLineView:
    sku: str
    title_zh: str
    title_en: str
    image: str
    quantity: int
    unit_price: Money
    total: Money

    def title(self, locale: str) -> str:
        return self.title_zh if locale.startswith("zh") else self.title_en


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSummary:
    """One line of a list of orders: no payments, no address."""

    id: str  # ord_…
    state: OrderState
    payable: Money
    lines: tuple[OrderLineView, ...]
    placed_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """`payable` = `subtotal` - `discount` + `tax` + `shipping`; `tax_included` is inside the subtotal already."""

    id: str  # ord_…
    state: OrderState
    lines: tuple[OrderLineView, ...]
    email: str
    address: Address
    locale: str  # "zh-hans" or "en"
    subtotal: Money
    discount: Money
    tax: Money
    tax_included: Money
    shipping: Money
    payable: Money
    refunded: Money
    placed_at: datetime
    expires_at: datetime  # stock is held until then
    payments: tuple[PaymentView, ...]  # newest first
    can_pay: bool
    can_cancel: bool
    can_refund: bool
    can_reopen: bool


def order(order_id: str, viewer: Viewer) -> OrderView:
    """The order. Raises `OrderNotFound`, also for other people's and for a malformed identifier."""
    raise NotImplementedError


def orders_of(viewer: Viewer, *, limit: int = 50, before: str = "") -> list[OrderSummary]:
    """The viewer's own orders (by account and by tokens), newest first; `before` is the last id of the page before."""
    raise NotImplementedError
