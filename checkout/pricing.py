"""What a cart costs. A pure function of prices, quantities, place and discounts: no clock, no database.

Amounts are integer minor units; a rate is in basis points (1 % = 100). Every line is rounded by itself, half up,
so the sum on a receipt is the sum of its lines. Rules are the tables below: change one, change `RULES_VERSION`,
and quotes made before are stale.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from checkout.errors import CurrenciesMixed, RegionNotServed
from checkout.facts import PriceBreakdown, PricedLine
from ledger.money import Money

RULES_VERSION = "2025-1"
_BASIS = 10_000


@dataclass(frozen=True, slots=True)
class TaxRule:
    """`basis_points` by tax class. Included: the shop's prices contain it; otherwise it comes on top."""

    included: bool
    basis_points: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ShippingRule:
    """A flat fee by currency (minor units); nothing from `free_from` on, or in a currency that is not listed."""

    fee: Mapping[str, int]
    free_from: Mapping[str, int]


_UNTAXED = TaxRule(included=False, basis_points={})
_FREE = ShippingRule(fee={}, free_from={})

# Shop prices are what a customer in mainland China pays: VAT is inside them, and shipping is free. Exports leave
# without VAT at the same price. Where the destination's own tax is collected by us, it comes on top.
TAX: Mapping[str, TaxRule] = {
    "CN": TaxRule(included=True, basis_points={"standard": 1300, "book": 900, "food": 900}),
    "SG": TaxRule(included=False, basis_points={"standard": 900, "book": 900, "food": 900}),
    **dict.fromkeys(("AU", "CA", "DE", "FR", "GB", "HK", "JP", "KR", "MO", "TW", "US"), _UNTAXED),
}
SHIPPING: Mapping[str, ShippingRule] = {
    "SG": ShippingRule(fee={"CNY": 3000}, free_from={"CNY": 50_000}),
}
REGIONS = tuple(sorted(TAX))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One line of a cart with the price that its article has now."""

    sku: str
    quantity: int
    unit_price: Money
    tax_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """So much off each line of the named articles (of all, when empty). Discounts add up to the whole line at most."""

    code: str
    basis_points: int
    skus: frozenset[str] = frozenset()


def price(*, wanted: Sequence[Wanted], region: str, discounts: Sequence[Discount] = ()) -> PriceBreakdown:
    """The itemised price of `wanted` (not empty) delivered to `region`, a country.

    Raises `RegionNotServed`, `CurrenciesMixed`.
    """
    rule = TAX.get(region)
    if rule is None:
        raise RegionNotServed(f"We deliver to {', '.join(REGIONS)}.", param="region")
    currencies = {line.unit_price.currency for line in wanted}
    if len(currencies) != 1:
        raise CurrenciesMixed("Order articles of different currencies one by one.", param="items")
    currency = currencies.pop()
    lines = tuple(_line(line, rule, discounts) for line in wanted)
    base = _sum((line.base for line in lines), currency)
    off = _sum((line.discount for line in lines), currency)
    tax = _sum((line.tax for line in lines), currency)
    shipping = _shipping(region, base - off)
    return PriceBreakdown(
        lines=lines,
        base=base,
        discounts=off,
        tax=tax,
        tax_included=_sum((line.tax_included for line in lines), currency),
        shipping=shipping,
        payable=base - off + tax + shipping,
        currency=currency,
        region=region,
        rules_version=RULES_VERSION,
    )


def _line(line: Wanted, rule: TaxRule, discounts: Sequence[Discount]) -> PricedLine:
    currency = line.unit_price.currency
    base = line.unit_price.minor * line.quantity
    parts = (_share(base, d.basis_points) for d in discounts if not d.skus or line.sku in d.skus)
    off = min(base, sum(parts))
    net = base - off
    rate = rule.basis_points.get(line.tax_class, 0)
    included = half_up(net * rate, _BASIS + rate) if rule.included else 0
    added = 0 if rule.included else _share(net, rate)
    return PricedLine(
        sku=line.sku,
        quantity=line.quantity,
        unit_price=line.unit_price,
        base=Money(base, currency),
        discount=Money(off, currency),
        tax=Money(added, currency),
        tax_included=Money(included, currency),
        total=Money(net, currency),
    )


def _shipping(region: str, goods: Money) -> Money:
    rule = SHIPPING.get(region, _FREE)
    free_from = rule.free_from.get(goods.currency)
    free = free_from is not None and goods.minor >= free_from
    return Money(0 if free else rule.fee.get(goods.currency, 0), goods.currency)


def _share(amount: int, basis_points: int) -> int:
    return half_up(amount * basis_points, _BASIS)


def half_up(numerator: int, denominator: int) -> int:
    """The quotient of two non-negative integers, rounded half up."""
    return (2 * numerator + denominator) // (2 * denominator)


def _sum(amounts: Iterable[Money], currency: str) -> Money:
    return sum(amounts, Money(0, currency))
