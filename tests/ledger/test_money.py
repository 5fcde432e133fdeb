"""Money and identifiers: exact, ordered, and strict about what they take."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.identifiers import MalformedIdentifier, decode, encode, new_key
from ledger.money import CurrencyMismatch, Money, UnknownCurrency


@given(
    minor=st.integers(min_value=-(10**18), max_value=10**18), currency=st.sampled_from(["CNY", "JPY", "BHD"])
)
def test_major_and_minor_units_are_the_same_amount(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert Money.from_major(str(money.major), currency) == money


def test_the_exponent_comes_from_the_currency() -> None:
    assert [Money(12345, code).major for code in ("CNY", "JPY", "BHD")] == [
        Decimal("123.45"),
        Decimal("12345"),
        Decimal("12.345"),
    ]


@pytest.mark.parametrize("text", ["1.234", "NaN", "Infinity"])
def test_an_amount_that_is_not_exact_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="exact amount"):
        Money.from_major(text, "CNY")


@pytest.mark.parametrize("minor", [1.0, True, "1", Decimal(1)])
def test_minor_units_are_integers(minor: object) -> None:
    with pytest.raises(TypeError):
        Money(minor, "CNY")  # type: ignore[arg-type]


def test_currencies_do_not_mix() -> None:
    with pytest.raises(CurrencyMismatch):
        Money(1, "CNY") + Money(1, "USD")
    with pytest.raises(UnknownCurrency):
        Money(1, "XXQ")


def test_identifiers_come_back_and_sort_like_their_keys() -> None:
    keys = [new_key() for _ in range(50)]
    names = [encode("pay", key) for key in keys]
    assert [decode("pay", name) for name in names] == keys
    assert names == sorted(names)


@pytest.mark.parametrize(
    "text", ["", "pay", "pay_", "ord_" + "0" * 26, "pay_" + "0" * 25, "pay_" + "z" * 26, "pay_" + "l" * 26]
)
def test_what_is_no_identifier_is_refused(text: str) -> None:
    with pytest.raises(MalformedIdentifier):
        decode("pay", text)
