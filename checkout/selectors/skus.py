"""The catalogue as customers see it."""

from dataclasses import dataclass

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
    raise NotImplementedError


def sku(code: str) -> SkuView:
    """One article for sale. Raises `SkuUnknown`."""
    raise NotImplementedError
