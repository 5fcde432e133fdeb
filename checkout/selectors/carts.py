"""A cart against today's catalogue. For the use cases of this app: hands out rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from checkout.errors import SkuUnknown
from checkout.facts import Item, PriceBreakdown, merge
from checkout.models import Sku
from checkout.pricing import Wanted, price
from checkout.quotes import Keys
from checkout.selectors.coupons import discounts_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedCart:
    items: tuple[Item, ...]
    skus: Mapping[str, Sku]  # by code
    breakdown: PriceBreakdown

    @property
    def quantities(self) -> dict[UUID, int]:
        return {self.skus[item.sku].pk: item.quantity for item in self.items}


def price_cart(items: Iterable[Item], region: str, coupon: str = "") -> PricedCart:
    """The cart at today's prices. Raises what `merge` and `price` raise, `SkuUnknown` naming the article, and
    `CouponUnknown`."""
    merged = merge(items)
    skus = {row.code: row for row in Sku.objects.for_sale().filter(code__in=[item.sku for item in merged])}
    for item in merged:
        if item.sku not in skus:
            raise SkuUnknown(
                f"{item.sku} is not for sale: take it out of the cart.", param="items", sku=item.sku
            )
    wanted = [
        Wanted(
            sku=item.sku,
            quantity=item.quantity,
            unit_price=skus[item.sku].unit_price,
            tax_class=skus[item.sku].tax_class,
        )
        for item in merged
    ]
    breakdown = price(wanted=wanted, region=region, discounts=discounts_of(coupon))
    return PricedCart(items=merged, skus=skus, breakdown=breakdown)


def quote_keys() -> Keys:
    """The keys from the settings: the first signs, all verify."""
    return Keys(current=next(iter(settings.QUOTE_KEYS)), secrets=settings.QUOTE_KEYS)
