"""Money as integer minor units beside an ISO 4217 currency. Pure: no Django, no I/O, never a float."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Self

from babel.numbers import format_currency, get_currency_precision, list_currencies


class CurrencyMismatch(ValueError):
    """Two amounts of different currencies were combined."""


class UnknownCurrency(ValueError):
    """The code is not an ISO 4217 currency."""


@cache
def exponent(currency: str) -> int:
    """Number of minor-unit digits of `currency` (CNY 2, JPY 0, BHD 3).

    Raises `UnknownCurrency`. Source: CLDR through babel, equal to ISO 4217. Providers differ
    (Stripe charges UGX and ISK in hundredths); their tables live in their channel.
    """
    if currency not in list_currencies():
        raise UnknownCurrency(f"{currency!r} is not an ISO 4217 currency code")
    return get_currency_precision(currency)


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount of `minor` units (fen, cents, yen) of `currency`."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"minor units must be an int, not {type(self.minor).__name__}")
        exponent(self.currency)

    def __add__(self, other: Self) -> "Money":
        return Money(self.minor + self._same_currency(other).minor, self.currency)

    def __sub__(self, other: Self) -> "Money":
        return Money(self.minor - self._same_currency(other).minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def _same_currency(self, other: Self) -> Self:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not add up")
        return other

    @property
    def major(self) -> Decimal:
        """The amount in major units, exact (12345 fen → Decimal('123.45'))."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    @classmethod
    def from_major(cls, text: str | Decimal, currency: str) -> "Money":
        """Parse a decimal amount in major units, exactly.

        Raises `ValueError` when the amount has more digits than the currency, or is not a finite number.
        """
        amount = Decimal(text)
        scaled = amount.scaleb(exponent(currency)) if amount.is_finite() else amount
        if not amount.is_finite() or scaled != scaled.to_integral_value():
            raise ValueError(f"{text!r} is not an exact amount of {currency}")
        return cls(int(scaled), currency)

    def formatted(self, locale: str = "en") -> str:
        """The amount as a reader of `locale` writes it ("CN¥123.45", "¥123.45")."""
        return format_currency(self.major, self.currency, locale=locale)

    def grouped(self, locale: str = "en") -> str:
        """The same without the currency ("1,234.50"), for tables that name it once."""
        return format_currency(self.major, self.currency, format="#,##0.00", locale=locale)


def converted(money: Money, to: str, rate: Fraction) -> Money:
    """`money` in the currency `to`, of which one major unit of its own is worth `rate`; rounded half to even."""
    exact = money.minor * rate * Fraction(10) ** (exponent(to) - exponent(money.currency))
    return Money(round(exact), to)  # of a fraction: in integers, half to even
