"""Exchange rates, and amounts of one currency in another."""

from datetime import datetime
from fractions import Fraction

from django.db.models import Q

from ledger.errors import UnknownRate
from ledger.facts import Rate
from ledger.models import FxRate
from ledger.money import Money, converted


def rate(base: str, quote: str, at: datetime) -> Rate:
    """The rate that was valid at `at`: what one `base` was worth in `quote`. Raises `UnknownRate`.

    Told for the pair or for its inverse; of two told since the same moment, the one that was recorded later.
    """
    if base == quote:
        return Rate(base=base, quote=quote, value=Fraction(1), source="", valid_since=at)
    told = FxRate.objects.filter(Q(base=base, quote=quote) | Q(base=quote, quote=base), valid_since__lte=at)
    found = told.order_by("-valid_since", "-id").first()
    if found is None:
        raise UnknownRate(f"no rate of {base} in {quote} was valid then: record one", param="currency")
    value = Fraction(found.rate)
    return Rate(
        base=base,
        quote=quote,
        value=value if found.base == base else 1 / value,
        source=found.source,
        valid_since=found.valid_since,
    )


def convert(money: Money, to: str, at: datetime) -> Money:
    """`money` in the currency `to` at the rate of `at`, rounded half to even. Raises `UnknownRate`."""
    return converted(money, to, rate(money.currency, to, at).value)
