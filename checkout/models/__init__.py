"""Tables of checkout, private to it."""

from checkout.models.coupons import Coupon
from checkout.models.goods import Sku, Stock
from checkout.models.holds import Reservation
from checkout.models.letters import Notification
from checkout.models.levels import Verification
from checkout.models.orders import Order, OrderLine
from checkout.models.refunds import RefundLine
from checkout.models.shipments import Shipment, ShipmentLine

__all__ = [
    "Coupon",
    "Notification",
    "Order",
    "OrderLine",
    "RefundLine",
    "Reservation",
    "Shipment",
    "ShipmentLine",
    "Sku",
    "Stock",
    "Verification",
]
