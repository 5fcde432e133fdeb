"""Parcels, what is left to ship, and whose money is there for it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum

from checkout.errors import ShipmentNotFound
from checkout.models import Order, OrderLine, RefundLine, Shipment, ShipmentLine
from checkout.sharing import Share, share
from checkout.states import ShipmentState
from ledger.identifiers import MalformedIdentifier
from ledger.money import Money
from payments.selectors import TakenMoney, money_taken, refunds_of
from payments.states import RefundState


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentLineView:
    sku: str
    title_zh: str
    title_en: str
    quantity: int

    def title(self, locale: str) -> str:
        return self.title_zh if locale.startswith("zh") else self.title_en


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentView:
    id: str  # shp_…
    order: str  # ord_…
    state: ShipmentState
    lines: tuple[ShipmentLineView, ...]
    amount: Money
    carrier: str
    tracking: str
    refusal: str
    created_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None


def shipment(public_id: str) -> ShipmentView:
    """Raises `ShipmentNotFound`, also for what is no identifier of one."""
    try:
        return _views(Shipment.objects.named(public_id))[0]
    except (MalformedIdentifier, IndexError) as absent:
        raise ShipmentNotFound(f"There is no shipment {public_id[:40]!r}.") from absent


def shipments_of(order: Order) -> tuple[ShipmentView, ...]:
    """All parcels of the order, in the order in which they were packed."""
    return tuple(_views(Shipment.objects.filter(order=order)))


def unsent_of(order: Order) -> tuple[ShipmentLineView, ...]:
    """What will not be sent: its money was held, and let go."""
    kept = RefundLine.objects.filter(order=order, refund=order.paid_by, line__isnull=False)
    return tuple(_line_view(part.line, part.quantity) for part in kept.select_related("line") if part.line)


def _views(rows: Iterable[Shipment]) -> list[ShipmentView]:
    found = rows.select_related("order").prefetch_related("lines__line")  # type: ignore[attr-defined]
    return [_view(row) for row in found]


def _view(row: Shipment) -> ShipmentView:
    lines = sorted(row.lines.all(), key=lambda part: part.line.code)
    return ShipmentView(
        id=row.public_id,
        order=row.order.public_id,
        state=ShipmentState(row.state),
        lines=tuple(_line_view(part.line, part.quantity) for part in lines),
        amount=row.money,
        carrier=row.carrier,
        tracking=row.tracking,
        refusal=row.refusal,
        created_at=row.created_at,
        sent_at=row.sent_at,
        delivered_at=row.delivered_at,
    )


def _line_view(line: OrderLine, quantity: int) -> ShipmentLineView:
    return ShipmentLineView(sku=line.code, title_zh=line.title_zh, title_en=line.title_en, quantity=quantity)


def packed_units(order: Order) -> dict[str, int]:
    """Article code to how many of it are in a parcel that left or waits."""
    standing = ShipmentLine.objects.filter(shipment__in=Shipment.objects.standing().filter(order=order))
    return dict(standing.values_list("line__code").annotate(units=Sum("quantity")))


def units_left(order: Order) -> dict[str, int]:
    """Article code to how many of it are in no parcel yet, and whose money has not been given up."""
    packed = packed_units(order)
    unsent = RefundLine.objects.filter(order=order, released=False, unsent__gt=0)
    kept = dict(unsent.values_list("line__code").annotate(units=Sum("unsent")))
    return {
        line.code: line.quantity - packed.get(line.code, 0) - kept.get(line.code, 0)
        for line in order.lines.order_by("code")
    }


def nothing_to_send(order: Order) -> bool:
    """All has left, or will not: what only waits for its refund may still be sent when that fails."""
    if any(units_left(order).values()):
        return False
    kept = set(
        RefundLine.objects.filter(order=order, released=False, unsent__gt=0).values_list("refund", flat=True)
    )
    open_ = {refund.id for refund in refunds_of(order.paid_by) if refund.state != RefundState.SUCCEEDED}
    return not kept & open_


def cost_by_sku(parcel: Shipment) -> dict[str, Share]:
    """What each article in a parcel that has just left costs; with the parcel's shipping they make its amounts.

    Exact for a caller who holds the order locked: all that left earlier left before this was packed.
    """
    earlier = ShipmentLine.objects.filter(shipment__in=Shipment.objects.left().filter(order=parcel.order))
    sent = dict(earlier.exclude(shipment=parcel).values_list("line__code").annotate(units=Sum("quantity")))
    return {
        part.line.code: share(
            [part.line.part(sent=sent.get(part.line.code, 0), now=part.quantity)], shipping=0
        )
        for part in parcel.lines.select_related("line").order_by("line__code")
    }


def named_by_refunds(order: Order, returned: int) -> dict[str, int]:
    """What the order's refunds were for, of goods that had left: article code ("" for what is no article) to minor
    units, in proportion to which `returned` is to be dealt out.

    They name goods that had not left, too, whose money was never a sale: together they can be more than `returned`.
    They are less where an amount was refunded as such; the rest is no article's then.
    """
    named: dict[str, int] = defaultdict(int)
    done = [refund.id for refund in refunds_of(order.paid_by) if refund.state == RefundState.SUCCEEDED]
    parts = RefundLine.objects.filter(order=order, released=False, refund__in=done)
    for part in parts.select_related("line").order_by("line__code", "pk"):
        if part.line:
            named[part.line.code] += part.amount * (part.quantity - part.unsent) // part.quantity
        else:
            named[""] += part.amount
    named[""] += max(0, returned - sum(named.values()))
    return dict(named)


def left_of(order_id: str) -> dict[str, int]:
    """The same of the order with this public identifier."""
    return units_left(Order.objects.named(order_id).get())


def money_for(order: Order) -> tuple[int, int]:
    """(what was taken and did not leave as goods yet, what is held), minor units."""
    money = _money(order)
    return (money.captured - _shipped(order), money.held) if money else (0, 0)


def returned_of_shipped(order: Order) -> int:
    """What was refunded beyond what had not left as goods, minor units."""
    money = _money(order)
    return max(0, _shipped(order) + money.refunded - money.captured) if money else 0


def is_refunded(order: Order) -> bool:
    """Whether all that was taken for it is back, and nothing is held."""
    money = _money(order)
    return money is not None and not money.held and money.refunded >= money.captured


def is_taken_back(order: Order) -> bool:
    """Whether nothing may leave for it: its money is on its way back, or with the customer's bank in dispute."""
    money = _money(order)
    return money is None or bool(money.disputed) or money.captured + money.held <= money.returning


def _shipped(order: Order) -> int:
    return Shipment.objects.left().filter(order=order).aggregate(sum=Sum("amount"))["sum"] or 0


def _money(order: Order) -> TakenMoney | None:
    taken = (one for one in money_taken([order.public_id]) if one.payment == order.paid_by)
    return next(taken, None)
