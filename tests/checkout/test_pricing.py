"""Prices add up, to the minor unit, whatever is in the cart."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.errors import CurrenciesMixed, QuantityInvalid, RegionNotServed, SkuUnknown
from checkout.facts import MAX_QUANTITY, Item
from checkout.pricing import REGIONS, RULES_VERSION, Discount, Wanted, half_up, price
from ledger.money import Money

lines = st.builds(
    Wanted,
    sku=st.text("abcdef", min_size=1, max_size=6),
    quantity=st.integers(1, MAX_QUANTITY),
    unit_price=st.integers(1, 10**9).map(lambda minor: Money(minor, "CNY")),
    tax_class=st.sampled_from(["standard", "book", "food", "unheard-of"]),
)
carts = st.lists(lines, min_size=1, max_size=8, unique_by=lambda line: line.sku)
offers = st.lists(
    st.builds(
        Discount, code=st.just("X"), basis_points=st.integers(0, 12_000), skus=st.just(frozenset[str]())
    ),
    max_size=3,
)


def wanted(minor: int, quantity: int = 1, tax_class: str = "standard", currency: str = "CNY") -> Wanted:
    return Wanted(sku="tea", quantity=quantity, unit_price=Money(minor, currency), tax_class=tax_class)


@given(carts, st.sampled_from(REGIONS), offers)
def test_everything_adds_up_and_nothing_is_negative(
    cart: list[Wanted], region: str, discounts: list[Discount]
) -> None:
    result = price(wanted=cart, region=region, discounts=discounts)

    assert result.payable == result.base - result.discounts + result.tax + result.shipping
    for whole, part in (("base", "base"), ("discounts", "discount"), ("tax", "tax"), ("tax_included",) * 2):
        total = sum(getattr(line, part).minor for line in result.lines)
        assert getattr(result, whole).minor == total
    for line, asked in zip(result.lines, cart, strict=True):
        assert line.base.minor == asked.unit_price.minor * asked.quantity
        assert line.total == line.base - line.discount
        assert 0 <= line.discount.minor <= line.base.minor
        assert line.tax.minor >= 0 and 0 <= line.tax_included.minor <= line.total.minor
    assert result.shipping.minor >= 0 and result.payable.minor >= 0


@given(carts, st.sampled_from(REGIONS))
def test_the_same_input_has_the_same_price_whatever_else_is_in_the_cart(
    cart: list[Wanted], region: str
) -> None:
    together = price(wanted=cart, region=region)
    assert together == price(wanted=cart, region=region)
    for line, asked in zip(together.lines, cart, strict=True):
        assert price(wanted=[asked], region=region).lines == (line,)


@given(st.integers(0, 10**15), st.integers(1, 10**6))
def test_half_up_is_exact(numerator: int, denominator: int) -> None:
    rounded = half_up(numerator, denominator)
    assert -Fraction(1, 2) < rounded - Fraction(numerator, denominator) <= Fraction(1, 2)


@pytest.mark.parametrize("minor", [10_000, 20_000, 500_000, 800_000])
@pytest.mark.parametrize("region", ["CN", "US"])
def test_the_demo_amounts_are_what_the_tag_says(minor: int, region: str) -> None:
    result = price(wanted=[wanted(minor)], region=region)
    assert result.payable == Money(minor, "CNY")
    assert (result.tax.minor, result.shipping.minor) == (0, 0)


def test_tax_inside_the_price_is_told_and_not_added() -> None:
    result = price(wanted=[wanted(11_300)], region="CN")
    assert (result.tax_included.minor, result.tax.minor, result.payable.minor) == (1_300, 0, 11_300)


def test_tax_and_shipping_on_top_where_the_destination_asks_for_it() -> None:
    result = price(wanted=[wanted(10_050)], region="SG")
    assert (result.tax.minor, result.shipping.minor) == (905, 3_000)  # 904.5 rounds up
    assert price(wanted=[wanted(10_000, quantity=5)], region="SG").shipping.minor == 0


def test_a_discount_comes_off_before_tax() -> None:
    tenth = Discount(code="TENTH", basis_points=1_000)
    other = Discount(code="OTHER", basis_points=5_000, skus=frozenset({"coffee"}))
    result = price(wanted=[wanted(10_000)], region="SG", discounts=[tenth, other])
    assert (result.discounts.minor, result.tax.minor, result.payable.minor) == (1_000, 810, 12_810)


def test_other_places_and_mixed_currencies_are_refused() -> None:
    with pytest.raises(RegionNotServed):
        price(wanted=[wanted(100)], region="AQ")
    with pytest.raises(CurrenciesMixed):
        price(wanted=[wanted(100), wanted(100, currency="USD")], region="CN")


@pytest.mark.parametrize("quantity", [0, -1, MAX_QUANTITY + 1, 10**30, 1.5, 1.0, "2", True, None])
def test_only_whole_sensible_quantities_can_be_said(quantity: object) -> None:
    with pytest.raises(QuantityInvalid) as refusal:
        Item("tea", quantity)  # type: ignore[arg-type]
    assert refusal.value.param == "items"


@pytest.mark.parametrize("code", ["", "a b", "x" * 61, "\x00", "茶", "a;drop"])
def test_only_codes_can_name_articles(code: str) -> None:
    with pytest.raises(SkuUnknown):
        Item(code, 1)


def test_a_quote_depends_on_the_version_of_the_rules() -> None:
    assert price(wanted=[wanted(100)], region="CN").rules_version == RULES_VERSION
