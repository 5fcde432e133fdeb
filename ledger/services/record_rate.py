"""Record an exchange rate."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from ledger import audit
from ledger.errors import RateRefused
from ledger.identifiers import encode
from ledger.models import FxRate
from ledger.money import UnknownCurrency, exponent

_PLACES = Decimal(1).scaleb(-10)
_HIGHEST = Decimal(10) ** 10


def record_rate(
    *, base: str, quote: str, rate: Decimal, source: str, valid_since: datetime, actor: str = "system"
) -> str:
    """This will note that one `base` is worth `rate` `quote` (major units) since `valid_since`; returns "fxr_…".

    The same again returns the first. A source that corrects itself for the same moment is refused
    (`RateRefused`), as is a rate that is not positive, has more than 10 decimals, or names no two currencies.
    Owns its transaction.
    """
    _refuse_nonsense(base, quote, rate)
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor)
        row, created = FxRate.objects.get_or_create(
            base=base, quote=quote, valid_since=valid_since, source=source, defaults={"rate": rate}
        )
        if row.rate != rate:
            raise RateRefused(f"{source} told {row.rate} for that moment: name another source", param="rate")
        public_id = encode("fxr", row.id)
        if created:
            told = {"pair": f"{base}/{quote}", "rate": f"{rate:.10f}", "since": valid_since.isoformat()}
            audit.record(action="fx_rate.record", object_id=public_id, after=told)
    return public_id


def _refuse_nonsense(base: str, quote: str, rate: Decimal) -> None:
    try:
        exponent(base), exponent(quote)
    except UnknownCurrency as error:
        raise RateRefused(str(error), param="currency") from error
    if base == quote:
        raise RateRefused(f"{base} in {base} needs no rate", param="quote")
    if not rate.is_finite() or not 0 < rate < _HIGHEST or rate % _PLACES:
        raise RateRefused(
            "a rate is positive, below ten thousand million, with 10 decimals at most", param="rate"
        )
