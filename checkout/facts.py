"""What the world tells checkout, and who asks. Pure: values that cannot be built wrong."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter

from checkout.conduct import Conduct
from checkout.errors import (
    AddressInvalid,
    CartEmpty,
    CartTooLarge,
    QuantityInvalid,
    RefundPartsInvalid,
    SkuUnknown,
)
from ledger.money import Money

MAX_QUANTITY = 999  # of one article in one order
MAX_LINES = 50

READ_ORDERS = "orders:read"  # scopes of a viewer who is not the customer
WRITE_ORDERS = "orders:write"
WRITE_REFUNDS = "refunds:write"

_CODE = re.compile(r"[-a-zA-Z0-9_]{1,60}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_MAX_ADDRESS_FIELD = 200
_REQUIRED_ADDRESS_FIELDS = ("name", "line1", "city")


@dataclass(frozen=True, slots=True)
class Item:
    """So many of one article. Raises `QuantityInvalid` unless a whole number from 1 to `MAX_QUANTITY`."""

    sku: str
    quantity: int

    def __post_init__(self) -> None:
        if not _CODE.fullmatch(self.sku):
            raise SkuUnknown("No article has such a code: take it out of the cart.", param="items")
        if type(self.quantity) is not int or not 1 <= self.quantity <= MAX_QUANTITY:
            raise QuantityInvalid(
                f"Choose a whole number from 1 to {MAX_QUANTITY} for {self.sku[:40]!r}.", param="items"
            )


def merge(items: Iterable[Item]) -> tuple[Item, ...]:
    """The same cart with each article once, by article code. Raises `CartEmpty`, `CartTooLarge`, `QuantityInvalid`."""
    quantities: dict[str, int] = {}
    for item in items:
        quantities[item.sku] = quantities.get(item.sku, 0) + item.quantity
    if not quantities:
        raise CartEmpty("The cart is empty: put something into it first.", param="items")
    if len(quantities) > MAX_LINES:
        raise CartTooLarge(f"One order holds at most {MAX_LINES} different articles.", param="items")
    return tuple(Item(sku, quantities[sku]) for sku in sorted(quantities))


def storable(text: str) -> bool:
    """No control characters and no halves of surrogate pairs: the database can keep it and a label can show it."""
    return text.isprintable() or not any(unicodedata.category(one) in ("Cc", "Cs") for one in text)


@dataclass(frozen=True, slots=True)
class Address:
    """Where to deliver. `country` is ISO 3166 alpha-2. Raises `AddressInvalid` naming the field."""

    name: str
    phone: str
    country: str
    region: str
    city: str
    line1: str
    line2: str = ""
    postal_code: str = ""

    def __post_init__(self) -> None:
        if not _COUNTRY.fullmatch(self.country):
            raise AddressInvalid("Choose a country.", param="address.country")
        for name in _REQUIRED_ADDRESS_FIELDS:
            if not getattr(self, name).strip():
                raise AddressInvalid("Fill in this field.", param=f"address.{name}")
        if max(map(len, _texts(self))) <= _MAX_ADDRESS_FIELD and storable("".join(_texts(self))):
            return
        for part in fields(self):
            text = getattr(self, part.name)
            if len(text) > _MAX_ADDRESS_FIELD or not storable(text):
                raise AddressInvalid(
                    f"Use at most {_MAX_ADDRESS_FIELD} printable characters.", param=f"address.{part.name}"
                )


_texts: Callable[[Address], tuple[str, ...]] = attrgetter(*(part.name for part in fields(Address)))


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks. A guest proves an order with the access token that placing it returned.

    `scopes` are for those who see other people's orders: API keys ("key_…" in `api_key`) and operators.
    """

    user_id: int | None = None
    order_tokens: frozenset[str] = field(default_factory=frozenset)
    scopes: frozenset[str] = field(default_factory=frozenset)
    api_key: str = ""

    @property
    def actor(self) -> str:
        """How the audit journal names this viewer."""
        if self.user_id is not None:
            return f"user:{self.user_id}"
        if self.api_key:
            return self.api_key
        return "api" if self.scopes else "guest"

    @property
    def customer(self) -> str:
        """Under which name cards are kept for this viewer; empty for who has no account."""
        return f"cus_{self.user_id}" if self.user_id is not None else ""

    def may(self, scope: str) -> bool:
        return scope in self.scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundWish:
    """What to give back: articles (so many by SKU) and perhaps the shipping, or an amount, or all that is left.

    `restock` puts the articles up for sale again; None means when they never left the house. Raises
    `RefundPartsInvalid`.
    """

    lines: Mapping[str, int] = field(default_factory=dict)
    shipping: bool = False
    amount: Money | None = None
    restock: bool | None = None

    def __post_init__(self) -> None:
        if self.amount is not None and self.parts:
            raise RefundPartsInvalid("Name articles or an amount, not both.", param="amount")
        if any(type(quantity) is not int or quantity < 1 for quantity in self.lines.values()):
            raise RefundPartsInvalid("Choose whole numbers from 1 for the articles to refund.", param="lines")

    @property
    def parts(self) -> bool:
        return bool(self.lines) or self.shipping

    @property
    def whole(self) -> bool:
        return not self.parts and self.amount is None


@dataclass(frozen=True, slots=True)
class Client:
    """The customer's device as the web server saw it. `device_id` comes from the signed device cookie, `session` is
    a secret that only this browser, or this server of a merchant's, has. `label` is for people: "Firefox, Windows"."""

    ip: str = ""
    device_id: str = ""
    device_kind: str = "desktop"  # or "phone"
    language: str = ""
    session: str = ""
    label: str = ""
    conduct: Conduct = field(default_factory=Conduct)


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedLine:
    sku: str
    quantity: int
    unit_price: Money
    base: Money
    discount: Money
    tax: Money  # added to the price
    tax_included: Money  # inside the price already
    total: Money  # base - discount: what the customer sees on the line


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBreakdown:
    """`payable` = `base` - `discounts` + `tax` + `shipping`."""

    lines: tuple[PricedLine, ...]
    base: Money
    discounts: Money
    tax: Money
    tax_included: Money
    shipping: Money
    payable: Money
    currency: str
    region: str
    rules_version: str
