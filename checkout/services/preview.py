"""Price a cart."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from checkout.facts import Item, PriceBreakdown, Viewer


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    breakdown: PriceBreakdown
    quote: str  # signed; hand it to place_order unread
    expires_at: datetime


def preview(*, items: Sequence[Item], region: str, viewer: Viewer) -> Preview:
    """This will price the cart for delivery to `region` (a country, ISO 3166 alpha-2) and sign the result.

    Raises `CartEmpty`, `CartTooLarge`, `SkuUnknown`, `CurrenciesMixed`, `RegionNotServed`,
    `PurchaseLimitExceeded`. Reads only: nothing is held.
    """
    raise NotImplementedError
