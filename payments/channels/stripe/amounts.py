"""Our minor units and Stripe's, which differ for a few currencies. Pure."""

from ledger.money import Money, exponent

# Digits that Stripe counts in; all others have two, also UGX and ISK, which have no minor unit elsewhere.
_ZERO = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split()
_THREE = "BHD JOD KWD OMR TND".split()
_DIGITS = {**dict.fromkeys(_ZERO, 0), **dict.fromkeys(_THREE, 3)}


class AmountNotRepresentable(ValueError):
    """The amount can not be said in the units of the other side."""


def to_stripe(money: Money) -> int:
    """The integer that Stripe wants. Raises `AmountNotRepresentable` where it would have to round."""
    amount = _rescaled(money.minor, exponent(money.currency), _DIGITS.get(money.currency, 2))
    if money.currency in _THREE and amount % 10:
        raise AmountNotRepresentable(f"{money.currency} must end in a zero at Stripe")
    return amount


def from_stripe(amount: int, currency: str) -> Money:
    """What Stripe says as `Money`. Raises `AmountNotRepresentable`, `UnknownCurrency`."""
    code = currency.upper()
    return Money(_rescaled(amount, _DIGITS.get(code, 2), exponent(code)), code)


def _rescaled(amount: int, digits: int, wanted: int) -> int:
    if wanted >= digits:
        return amount * int(10 ** (wanted - digits))
    whole, rest = divmod(amount, int(10 ** (digits - wanted)))
    if rest:
        raise AmountNotRepresentable(f"{amount} has more digits than the other side knows")
    return whole
