"""Why checkout refuses. Every message says what the reader can do next."""

from ledger.errors import Refusal


class CartEmpty(Refusal):
    code = "cart_empty"


class CartTooLarge(Refusal):
    code = "cart_too_large"


class QuantityInvalid(Refusal):
    """Zero, negative, fractional or beyond what one order may hold."""

    code = "quantity_invalid"


class SkuUnknown(Refusal):
    """No such article, or it is not for sale any more."""

    code = "sku_unknown"
    status = 404


class SkuInvalid(Refusal):
    """What the catalogue should say of an article makes no sense; `param` names the field."""

    code = "sku_invalid"


class CurrenciesMixed(Refusal):
    code = "currencies_mixed"


class RegionNotServed(Refusal):
    code = "region_not_served"


class AddressInvalid(Refusal):
    code = "address_invalid"


class EmailInvalid(Refusal):
    code = "email_invalid"


class QuoteTampered(Refusal):
    """Not ours, altered, signed with an unknown key, or made for another cart."""

    code = "quote_tampered"


class QuoteExpired(Refusal):
    code = "quote_expired"
    status = 409


class QuoteReplayed(Refusal):
    """An order was already placed with it; `context["order"]` names that order."""

    code = "quote_replayed"
    status = 409


class QuoteStale(Refusal):
    """Prices, price rules or the place of delivery changed after it was made."""

    code = "quote_stale"
    status = 409


class OutOfStock(Refusal):
    """`context` holds `sku`, `wanted` and `remaining`."""

    code = "out_of_stock"
    status = 409


class StockInUse(Refusal):
    """The total would fall below what orders hold."""

    code = "stock_in_use"
    status = 409


class PurchaseLimitExceeded(Refusal):
    code = "purchase_limit_exceeded"
    status = 409


class CustomerLimitReached(Refusal):
    """More than the customer's account may pay at once, today or this month; nothing was charged."""

    code = "customer_limit_reached"
    status = 403


class OrderRejected(Refusal):
    """Risk refused the order before any stock or money moved; `context["order"]` names it."""

    code = "order_rejected"
    status = 403


class OrderNotFound(Refusal):
    """No such order, or it is another person's: nobody can tell which."""

    code = "order_not_found"
    status = 404


class OrderNotPayable(Refusal):
    """Not waiting for payment, out of time, or asked for another sum."""

    code = "order_not_payable"
    status = 409


class OrderNotCancellable(Refusal):
    """Paid, shipped or refused: see the message for the way out."""

    code = "order_not_cancellable"
    status = 409


class OrderNotReopenable(Refusal):
    code = "order_not_reopenable"
    status = 409


class OrderNotRefundable(Refusal):
    code = "order_not_refundable"
    status = 409


class LinesAlreadyRefunded(Refusal):
    """More of an article, or of the shipping, than was ordered and is not refunded or on its way back."""

    code = "lines_already_refunded"
    status = 409


class RefundPartsInvalid(Refusal):
    """An article that the order does not have, a quantity that can not be, or an amount besides articles."""

    code = "refund_parts_invalid"


class PaymentStillOpen(Refusal):
    """A payment of the same order has just begun or is still being closed."""

    code = "payment_still_open"
    status = 409


class ForMerchantsOnly(Refusal):
    """What customers do not do with their own orders: ship them, capture or release their money."""

    code = "for_merchants_only"
    status = 403


class OrderNotShippable(Refusal):
    """Its money is not secured, or is going back, or nothing of it is left to ship."""

    code = "order_not_shippable"
    status = 409


class ShipmentLinesInvalid(Refusal):
    """Articles that the order does not have, or more of them than are left to ship."""

    code = "shipment_lines_invalid"


class ShipmentWaiting(Refusal):
    """Another shipment of the order waits for its money: one after the other."""

    code = "shipment_waiting"
    status = 409


class ShipmentNotPaid(Refusal):
    """The provider refused to take this shipment's money: nothing may leave."""

    code = "shipment_not_paid"
    status = 409


class ShipmentKeyReused(Refusal):
    """The same shipment key came with other contents."""

    code = "shipment_key_reused"
    status = 409


class ShipmentNotFound(Refusal):
    code = "shipment_not_found"
    status = 404


class ShipmentNotSent(Refusal):
    """Only what left the house can arrive."""

    code = "shipment_not_sent"
    status = 409


class StockBooksDisagree(Exception):
    """What an order holds is not what the stock says is held. Never expected: the transaction is undone."""


class CapturedDiffersFromOrder(Exception):
    """A payment succeeded with another sum than the order's. Never expected: the transaction is undone."""


class CustomerNotFound(Refusal):
    code = "customer_not_found"
    status = 404


class LevelInvalid(Refusal):
    """A level that does not exist, or one that nobody gave a reason for."""

    code = "level_invalid"


class CouponUnknown(Refusal):
    """No such code, or its time is over."""

    code = "coupon_unknown"


class CouponUsed(Refusal):
    """The customer has an order with it."""

    code = "coupon_used"
    status = 409


class CouponInvalid(Refusal):
    """A code or a discount that makes no sense; `param` names the field."""

    code = "coupon_invalid"
