"""What of an order can still go back, and for how much."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Sum

from checkout.models import Order, RefundLine
from ledger.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class LineLeft:
    """`quantity` and `amount` (discount and tax shares inside) are neither refunded nor on their way back."""

    key: UUID
    sku: str
    title_zh: str
    title_en: str
    ordered: int
    quantity: int
    amount: Money

    def title(self, locale: str) -> str:
        return self.title_zh if locale.startswith("zh") else self.title_en


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLeft:
    lines: tuple[LineLeft, ...]
    shipping: Money

    @property
    def by_sku(self) -> dict[str, LineLeft]:
        return {line.sku: line for line in self.lines}


def what_is_left(row: Order) -> OrderLeft:
    """Exact for a caller who holds the order locked."""
    back: dict[UUID | None, tuple[int, int]] = {
        line: (quantity, amount)
        for line, quantity, amount in RefundLine.objects.filter(order=row, released=False)
        .values_list("line")
        .annotate(Sum("quantity"), Sum("amount"))
    }
    lines = tuple(
        LineLeft(
            key=line.pk,
            sku=line.code,
            title_zh=line.title_zh,
            title_en=line.title_en,
            ordered=line.quantity,
            quantity=line.quantity - back.get(line.pk, (0, 0))[0],
            amount=Money(line.total + line.tax - back.get(line.pk, (0, 0))[1], row.currency),
        )
        for line in row.lines.order_by("code")
    )
    shipping = row.shipping - back.get(None, (0, 0))[1]
    return OrderLeft(lines=lines, shipping=Money(shipping, row.currency))


def left_of(order_id: str) -> OrderLeft:
    return what_is_left(Order.objects.named(order_id).get())
