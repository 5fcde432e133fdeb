"""Reads of checkout: frozen dataclasses, never rows."""

from checkout.selectors.customers import CustomerHistory, customer_history, has_paid, has_paid_before
from checkout.selectors.orders import OrderLineView, OrderSummary, OrderView, guest_token, order, orders_of
from checkout.selectors.refunds import LineLeft, OrderLeft, left_of
from checkout.selectors.skus import SkuView, catalogue, sku

__all__ = [
    "CustomerHistory",
    "LineLeft",
    "OrderLeft",
    "OrderLineView",
    "OrderSummary",
    "OrderView",
    "SkuView",
    "catalogue",
    "customer_history",
    "guest_token",
    "has_paid",
    "has_paid_before",
    "left_of",
    "order",
    "orders_of",
    "sku",
]
