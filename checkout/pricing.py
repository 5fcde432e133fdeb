"""What a cart costs. A pure function of prices, quantities, place and discounts: no clock, no database."""

from dataclasses import dataclass

from ledger.money import Money


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
