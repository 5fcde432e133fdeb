"""Price a cart."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from checkout.facts import Item, PriceBreakdown, Viewer
from checkout.quotes import sign
from checkout.selectors.carts import price_cart, quote_keys
from checkout.selectors.coupons import cleaned, require_unused
from checkout.selectors.purchases import require_within_limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    breakdown: PriceBreakdown
    quote: str  # signed; hand it to place_order unread
    expires_at: datetime


def preview(*, items: Sequence[Item], region: str, viewer: Viewer, coupon: str = "") -> Preview:
    """This will price the cart for delivery to `region` (a country, ISO 3166 alpha-2) and sign the result.

    Raises `CartEmpty`, `CartTooLarge`, `SkuUnknown`, `CurrenciesMixed`, `RegionNotServed`,
    `PurchaseLimitExceeded`, `CouponUnknown`, `CouponUsed`. Reads only: nothing is held.
    """
    now = timezone.now()
    code = cleaned(coupon)
    cart = price_cart(items, region, code)
    require_unused(code, user_id=viewer.user_id)
    require_within_limits(cart, user_id=viewer.user_id, email="", now=now)
    keys = quote_keys()
    quote, terms = sign(items=cart.items, breakdown=cart.breakdown, now=now, keys=keys, coupon=code)
    return Preview(breakdown=cart.breakdown, quote=quote, expires_at=terms.expires_at)
