"""Articles and how many of them there are."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

from django.db import connection, models
from django.db.models import F, Q

from ledger.identifiers import new_key
from ledger.money import Money

# One statement, so that nothing waits on a round trip while the rows are locked. The rows are locked in the order
# of their key (no deadlock between carts), each is judged as it is after the lock, and either all of them move or
# none does.
_MOVE = """
WITH wanted (sku_id, total, reserved) AS (SELECT * FROM unnest(%s::uuid[], %s::int[], %s::int[])),
held AS (
    SELECT stock.sku_id, wanted.total, wanted.reserved,
           stock.reserved + wanted.reserved BETWEEN 0 AND stock.total + wanted.total AS fits
    FROM checkout_stock AS stock JOIN wanted USING (sku_id)
    ORDER BY stock.sku_id FOR UPDATE OF stock
)
UPDATE checkout_stock AS stock SET total = stock.total + held.total, reserved = stock.reserved + held.reserved
FROM held
WHERE stock.sku_id = held.sku_id
  AND (SELECT count(*) FROM held WHERE fits) = (SELECT count(*) FROM wanted)
"""


class SkuQuerySet(models.QuerySet["Sku"]):
    def locked(self) -> "SkuQuerySet":
        return self.select_for_update(of=("self",)).order_by("pk")

    def for_sale(self) -> "SkuQuerySet":
        return (
            self.filter(active=True, stock__isnull=False).select_related("stock").order_by("position", "code")
        )


class Sku(models.Model):
    """An article. Its price is in minor units of its currency, tax included where the tax rules say so."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    code = models.SlugField(max_length=60, unique=True)
    title_zh = models.CharField(max_length=120)
    title_en = models.CharField(max_length=120)
    description_zh = models.TextField(blank=True)
    description_en = models.TextField(blank=True)
    price = models.BigIntegerField()
    currency = models.CharField(max_length=3, default="CNY")
    tax_class = models.CharField(max_length=20, default="standard")
    image = models.CharField(max_length=100, blank=True)
    active = models.BooleanField(default=True)
    position = models.IntegerField(default=0)
    purchase_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text="At most so many per customer in 30 days; empty for no limit."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SkuQuerySet.as_manager()

    class Meta:
        verbose_name = "SKU"
        constraints: ClassVar = [
            models.CheckConstraint(name="sku_price_positive", condition=Q(price__gt=0)),
            models.CheckConstraint(
                name="sku_purchase_limit_positive",
                condition=Q(purchase_limit__isnull=True) | Q(purchase_limit__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def unit_price(self) -> Money:
        return Money(self.price, self.currency)


class StockQuerySet(models.QuerySet["Stock"]):
    def locked(self) -> "StockQuerySet":
        return self.select_for_update(of=("self",)).order_by("pk")

    def take(self, quantities: Mapping[UUID, int]) -> bool:
        """Hold so many of each, by SKU key; False, and nothing moved, when one of them has not that many left."""
        return self._move({sku: (0, quantity) for sku, quantity in quantities.items()})

    def give_back(self, quantities: Mapping[UUID, int]) -> bool:
        """Free what was held."""
        return self._move({sku: (0, -quantity) for sku, quantity in quantities.items()})

    def hand_over(self, quantities: Mapping[UUID, int]) -> bool:
        """What was held is sold: it leaves the total, too."""
        return self._move({sku: (-quantity, -quantity) for sku, quantity in quantities.items()})

    def put_back(self, quantities: Mapping[UUID, int]) -> bool:
        """What was sold and never left the house is for sale again."""
        return self._move({sku: (quantity, 0) for sku, quantity in quantities.items()})

    def _move(self, changes: Mapping[UUID, tuple[int, int]]) -> bool:
        totals = [total for total, _ in changes.values()]
        reserved = [held for _, held in changes.values()]
        with connection.cursor() as cursor:
            cursor.execute(_MOVE, [list(changes), totals, reserved])
            return bool(cursor.rowcount == len(changes))


class Stock(models.Model):
    """How many there are (`total`) and how many of these are held for orders that are not paid (`reserved`)."""

    sku = models.OneToOneField(Sku, primary_key=True, on_delete=models.PROTECT, related_name="stock")
    total = models.IntegerField(default=0)
    reserved = models.IntegerField(default=0)

    objects = StockQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "stock"
        constraints: ClassVar = [
            models.CheckConstraint(
                name="stock_never_oversold", condition=Q(reserved__gte=0) & Q(reserved__lte=F("total"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.total - self.reserved} of {self.sku_id}"

    @property
    def available(self) -> int:
        return self.total - self.reserved
