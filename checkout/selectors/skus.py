"""The catalogue as customers see it."""

from dataclasses import dataclass

from checkout.errors import SkuUnknown
from checkout.models import Sku
from ledger.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class SkuView:
    code: str
    title_zh: str
    title_en: str
    description_zh: str
    description_en: str
    price: Money
    tax_class: str
    image: str  # name of a static image, "porcelain-teapot.svg"
    purchase_limit: int | None  # per customer in 30 days
    available: int  # neither sold nor held by another order

    def title(self, locale: str) -> str:
        return self.title_zh if locale.startswith("zh") else self.title_en

    def description(self, locale: str) -> str:
        return self.description_zh if locale.startswith("zh") else self.description_en


def catalogue() -> list[SkuView]:
    """Everything for sale, sold out or not, in the shop's order."""
    return [_view(row) for row in Sku.objects.for_sale()]


def sku(code: str) -> SkuView:
    """One article for sale. Raises `SkuUnknown`."""
    row = Sku.objects.for_sale().filter(code=code).first() if code.isascii() and "\x00" not in code else None
    if row is None:
        raise SkuUnknown("This article is not for sale (any more); see the catalogue.", param="sku")
    return _view(row)


def _view(row: Sku) -> SkuView:
    return SkuView(
        code=row.code,
        title_zh=row.title_zh,
        title_en=row.title_en,
        description_zh=row.description_zh,
        description_en=row.description_en,
        price=row.unit_price,
        tax_class=row.tax_class,
        image=row.image,
        purchase_limit=row.purchase_limit,
        available=row.stock.available,
    )
