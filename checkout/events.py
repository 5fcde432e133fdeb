"""What checkout tells the world. Pure. `reference` is the order ("ord_…"), amounts are minor units."""

from dataclasses import dataclass
from typing import ClassVar

from payments.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent(Event):
    payable: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced(OrderEvent):
    """Also published when a cancelled order was opened again."""

    name: ClassVar[str] = "order.placed"
    expires_at: str  # ISO 8601


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPaid(OrderEvent):
    name: ClassVar[str] = "order.paid"
    payment: str  # pay_…


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled(OrderEvent):
    """Before any money was taken. `reason` is "customer", "operator", "expired", "review_rejected", "risk_rejected"."""

    name: ClassVar[str] = "order.cancelled"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelledAfterPay(OrderEvent):
    """Money was secured and goes back, or is held no more. `reason` is "out_of_stock", "refunded", "merchant" (we
    called it off) or "lapsed" (the provider let go of what it held)."""

    name: ClassVar[str] = "order.cancelled_after_pay"
    payment: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRestCancelled(OrderEvent):
    """What was not sent yet will not be: its money is held no more. `unsent` is what it cost; `reason` is why it was
    let go."""

    name: ClassVar[str] = "order.rest_cancelled"
    unsent: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderShipped(OrderEvent):
    """A part of the order left the house, or the last of it (`complete`)."""

    name: ClassVar[str] = "order.shipped"
    shipment: str  # shp_…
    carrier: str
    tracking: str
    complete: bool
