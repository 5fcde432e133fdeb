"""Open a cancelled order again."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from checkout.errors import OrderNotReopenable, PaymentStillOpen, QuoteStale
from checkout.events import OrderPlaced
from checkout.facts import WRITE_ORDERS, Item, PriceBreakdown, Viewer
from checkout.models import Order
from checkout.quotes import sign
from checkout.selectors import OrderView
from checkout.selectors.carts import price_cart, quote_keys
from checkout.selectors.coupons import require_unused
from checkout.selectors.orders import find, shown
from checkout.selectors.purchases import require_within_limits
from checkout.services.extend_hold import HOLD
from checkout.services.take_stock import take_stock
from checkout.states import OrderState
from ledger.audit import attribute
from payments.outbox import publish
from payments.selectors import live_payment


def reopen_order(*, order: str, viewer: Viewer) -> OrderView:
    """This will take the cancelled order's stock and a quote at today's price again, and wait for payment anew.

    An order that is open already stays as it is. Raises `OrderNotFound`, `OrderNotReopenable`, `OutOfStock`,
    `PurchaseLimitExceeded`, `SkuUnknown`, `CouponUnknown`, `CouponUsed`, `PaymentStillOpen`, and `QuoteStale` when
    today's price is another one (place a new order). Own transaction; locks the order, then its stock rows.
    """
    found = find(order, viewer, WRITE_ORDERS)
    now = timezone.now()
    try:
        with transaction.atomic(durable=True):
            attribute(actor=viewer.actor, reason="trying again")
            row = Order.objects.locked().get(pk=found.pk)
            if row.state not in (OrderState.CANCELLED, OrderState.PENDING_PAYMENT):
                raise OrderNotReopenable("Only a cancelled order can be opened again.")
            if row.state == OrderState.CANCELLED:
                _reopen(row, now)
    except IntegrityError:
        # Another order with the same coupon, at the same moment.
        require_unused(found.coupon, user_id=found.user_id, email=found.email, besides=found)
        raise
    return shown(found.public_id)


def _reopen(row: Order, now: datetime) -> None:
    if live_payment(row.public_id):
        raise PaymentStillOpen("A payment of this order is still being closed; try again in a moment.")
    items = [Item(code, quantity) for code, quantity in row.lines.values_list("code", "quantity")]
    require_unused(row.coupon, user_id=row.user_id, email=row.email, besides=row)
    cart = price_cart(items, row.country, row.coupon)
    if not _same_price(row, cart.breakdown):
        raise QuoteStale("Prices have changed since this order; place a new one.", param="order")
    keys = quote_keys()
    quote, terms = sign(items=cart.items, breakdown=cart.breakdown, now=now, keys=keys, coupon=row.coupon)
    row.reopen(quote=quote, quote_id=terms.id, opened_at=now, expires_at=now + HOLD)
    row.save(update_fields=["state", "quote", "quote_id", "opened_at", "expires_at", "sweep_after"])
    take_stock(order=row, quantities=cart.quantities, expires_at=row.expires_at)
    require_within_limits(cart, user_id=row.user_id, email=row.email, now=now, besides=row)
    publish(
        OrderPlaced(
            reference=row.public_id,
            payable=row.payable,
            currency=row.currency,
            expires_at=row.expires_at.isoformat(),
        )
    )


def _same_price(row: Order, price: PriceBreakdown) -> bool:
    before = {
        line.code: (line.unit_price, line.discount, line.tax, line.tax_included) for line in row.lines.all()
    }
    today = {
        line.sku: (line.unit_price.minor, line.discount.minor, line.tax.minor, line.tax_included.minor)
        for line in price.lines
    }
    return before == today and row.payable == price.payable.minor and row.shipping == price.shipping.minor
