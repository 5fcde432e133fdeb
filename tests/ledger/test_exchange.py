"""Exchange rates, and the gain or loss when money turns out to be worth other than it was booked."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from ledger import exchange, selectors
from ledger.errors import RateRefused, UnknownRate
from ledger.facts import Entry, PostedTransaction
from ledger.models import FxRate
from ledger.money import Money, converted, exponent
from ledger.services.exchange import exchange as exchanged
from ledger.services.record_rate import record_rate
from tests.ledger.books import cny, nothing_moves, run

_NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)
committing = pytest.mark.django_db(transaction=True)


def _told(rate: str, *, days: int = 0, base: str = "EUR", quote: str = "CNY", source: str = "PBoC") -> str:
    since = _NOON + timedelta(days=days)
    return record_rate(
        base=base, quote=quote, rate=Decimal(rate), source=source, valid_since=since, actor="user:1"
    )


@committing
def test_a_rate_is_valid_until_the_next() -> None:
    first = _told("7.85")
    _told("7.9", days=2)
    assert exchange.rate("EUR", "CNY", _NOON).value == Fraction("7.85")
    assert exchange.rate("EUR", "CNY", _NOON + timedelta(days=1, hours=23)).value == Fraction("7.85")
    assert exchange.rate("EUR", "CNY", _NOON + timedelta(days=2)).value == Fraction("7.9")
    assert exchange.rate("CNY", "EUR", _NOON).value == 1 / Fraction("7.85")
    assert exchange.rate("CNY", "CNY", _NOON).value == 1
    (entry,) = selectors.audit_trail(first)
    assert (entry.actor, entry.after["rate"]) == ("user:1", "7.8500000000")


@committing
def test_a_moment_before_every_rate_has_none() -> None:
    _told("7.85")
    with pytest.raises(UnknownRate):
        exchange.rate("EUR", "CNY", _NOON - timedelta(seconds=1))
    with pytest.raises(UnknownRate):
        exchange.convert(Money(1, "USD"), "CNY", _NOON)


@committing
def test_a_rate_told_again_is_the_first_and_another_is_refused() -> None:
    assert _told("7.85") == _told("7.850")
    with pytest.raises(RateRefused):
        _told("7.86")
    _told("7.87", source="ECB")  # recorded later: it is the one that holds
    assert exchange.rate("EUR", "CNY", _NOON).value == Fraction("7.87")
    assert FxRate.objects.count() == 2


@committing
@pytest.mark.parametrize("rate", ["0", "-1", "NaN", "Infinity", "10000000000", "7.00000000001"])
def test_a_rate_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(RateRefused):
        _told(rate)
    with pytest.raises(RateRefused):
        _told("1", base="CNY")
    with pytest.raises(RateRefused):
        _told("1", base="XYZ")
    assert not FxRate.objects.exists()


@committing
@pytest.mark.parametrize(
    "sql", ["UPDATE ledger_fxrate SET rate = 1", "DELETE FROM ledger_fxrate", "TRUNCATE ledger_fxrate"]
)
def test_rates_are_append_only(sql: str) -> None:
    _told("7.85")
    with pytest.raises(IntegrityError, match="append-only"):
        run(sql)


@pytest.mark.parametrize(
    ("money", "to", "rate", "minor"),
    [
        (Money(10000, "EUR"), "CNY", "7.85", 78500),
        (Money(1, "EUR"), "CNY", "0.5", 0),  # half to even
        (Money(3, "EUR"), "CNY", "0.5", 2),
        (Money(-3, "EUR"), "CNY", "0.5", -2),
        (Money(-1, "EUR"), "CNY", "0.5", 0),
        (Money(100, "JPY"), "CNY", "0.0461", 461),
        (Money(461, "CNY"), "JPY", "21.6919739696", 100),
        (Money(12345, "CNY"), "BHD", "0.0528", 6518),
        (Money(9_007_199_254_740_993, "EUR"), "CNY", "1.0000000001", 9_007_199_255_641_713),
    ],
)
def test_amounts_are_converted_exactly(money: Money, to: str, rate: str, minor: int) -> None:
    assert converted(money, to, Fraction(rate)) == Money(minor, to)


@given(
    minor=st.integers(-(10**17), 10**17),
    rate=st.decimals("0.0000000001", "9999999999", places=10),
    currencies=st.permutations(["CNY", "JPY", "BHD"]),
)
def test_what_is_converted_is_what_decimals_with_enough_digits_say(
    minor: int, rate: Decimal, currencies: list[str]
) -> None:
    base, quote, _ = currencies
    with localcontext(prec=60):
        exact = Decimal(minor).scaleb(-exponent(base)) * rate
        expected = int(exact.scaleb(exponent(quote)).to_integral_value(rounding="ROUND_HALF_EVEN"))
    assert converted(Money(minor, base), quote, Fraction(rate)).minor == expected


def _settled(minor: int, *, key: str = "stm_1:settled:1", given_minor: int = 10000) -> PostedTransaction:
    with transaction.atomic():
        return exchanged(
            business_key=key,
            reference="stm_1",
            description="settled in CNY",
            given=Entry("receivable:stripe", Money(given_minor, "EUR")),
            taken=Entry("bank:main", cny(minor)),
            booked_at=_NOON,
        )


@committing
@pytest.mark.parametrize("minor", [78000, 78500, 79000])
def test_what_was_gained_or_lost_against_the_booked_rate_is_posted(minor: int) -> None:
    _told("7.85")
    _told("7.95", days=1)
    posted = _settled(minor)
    assert not _settled(minor).created
    balances = {
        name: selectors.balance(name, currency).minor
        for name, currency in [("receivable:stripe", "EUR"), ("bank:main", "CNY"), ("fx_gains", "CNY")]
    }
    assert balances == {"receivable:stripe": -10000, "bank:main": minor, "fx_gains": 78500 - minor}
    assert selectors.balance("fx", "EUR") == Money(10000, "EUR")
    assert selectors.balance("fx", "CNY") == cny(-78500)
    assert all(total.minor == 0 for total in selectors.trial_balance().totals)
    assert len(selectors.transaction(posted.id).entries) == (4 if minor == 78500 else 5)


@committing
def test_a_value_of_less_than_half_a_minor_unit_is_all_gain() -> None:
    _told("0.0001")
    _settled(5, given_minor=1)
    assert selectors.balance("fx", "CNY") == cny(0)
    assert selectors.balance("fx_gains", "CNY") == cny(-5)


@committing
def test_without_a_rate_nothing_is_exchanged() -> None:
    with nothing_moves(), pytest.raises(UnknownRate):
        _settled(78000)
