"""Place an order."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import NoReturn

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from checkout import quotes
from checkout.errors import EmailInvalid, OrderRejected, QuoteReplayed
from checkout.events import OrderPlaced
from checkout.facts import Address, Client, Item, Viewer, merge, storable
from checkout.models import Order, OrderLine
from checkout.selectors import OrderView
from checkout.selectors.allowances import require_room, shortages_of
from checkout.selectors.carts import PricedCart, price_cart, quote_keys
from checkout.selectors.coupons import require_unused
from checkout.selectors.orders import guest_token, token_hash, view_of
from checkout.selectors.purchases import require_within_limits
from checkout.selectors.screening import facts_about
from checkout.services.extend_hold import HOLD
from checkout.services.take_stock import take_stock
from checkout.states import OrderState
from ledger.audit import attribute
from payments.outbox import publish
from risk.errors import DeviceFrozen
from risk.facts import Verdict
from risk.services.assess import assess
from risk.trust import FROZEN

_LONGEST_EMAIL = 254
_ANY = ""  # method: none is chosen yet


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOrder:
    order: OrderView
    access_token: str  # shown once; empty for a signed-in customer


def place_order(
    *,
    quote: str,
    items: Sequence[Item],
    address: Address,
    email: str,
    viewer: Viewer,
    client: Client,
    locale: str,
) -> PlacedOrder:
    """This will place the order that the quote was made for and hold its stock for 15 minutes.

    Raises `QuoteTampered`, `QuoteExpired`, `QuoteReplayed`, `QuoteStale`, `OutOfStock`, `PurchaseLimitExceeded`,
    `OrderRejected`, `DeviceFrozen` and `CustomerLimitReached` (the rejected order is kept), `EmailInvalid` and all
    that `preview` raises.
    Own transaction; the quote's unique number is the guard against placing twice; stock rows are locked last.
    """
    now = timezone.now()
    cart_items = merge(items)
    terms = quotes.verify(quote, items=cart_items, now=now, keys=quote_keys())
    order = Order(
        user_id=viewer.user_id,
        email=_clean_email(email),
        address=asdict(address),
        country=address.country,
        locale="zh-hans" if locale.lower().startswith("zh") else "en",
        client={name: _kept(value) for name, value in asdict(client).items() if name != "conduct"},
        device_id=_kept(client.device_id),
        quote_id=terms.id,
        quote=quote,
        coupon=terms.coupon,
        opened_at=now,
        expires_at=now + HOLD,
    )
    token = "" if viewer.user_id is not None else guest_token(order.public_id)
    order.access_token_hash = token_hash(token) if token else ""
    try:
        with transaction.atomic(durable=True):
            attribute(actor=viewer.actor, reason="placing an order")
            _require_unused(terms.id)
            require_unused(terms.coupon, user_id=order.user_id, email=order.email)
            cart = price_cart(cart_items, address.country, terms.coupon)
            quotes.require_same_price(terms, cart.breakdown)
            lines, verdict = _place(order, cart, client, now)
    except IntegrityError as collision:
        _say_who_was_first(order, collision)
        raise
    if order.state == OrderState.REJECTED:
        _refuse(order, verdict, now)
    return PlacedOrder(order=view_of(order, lines, payments=()), access_token=token)


def _refuse(order: Order, verdict: Verdict, now: datetime) -> NoReturn:
    """Limits and frozen devices are the customer's to know; what else speaks against an order is not."""
    if any(reason.code == FROZEN for reason in verdict.reasons):
        raise DeviceFrozen(
            "This device is frozen: nothing can be paid from it. Please contact us.", order=order.public_id
        )
    short = shortages_of(user_id=order.user_id, amount=order.owed, methods=[_ANY], now=now)
    require_room(short.get(_ANY))
    raise OrderRejected("We cannot accept this order. Please contact us.", order=order.public_id)


def _place(order: Order, cart: PricedCart, client: Client, now: datetime) -> tuple[list[OrderLine], Verdict]:
    _charge(order, cart)
    skus = [item.sku for item in cart.items]
    verdict = assess(facts=facts_about(order, skus=skus, client=client, stage="order", now=now))
    if verdict.action == "reject":
        order.reject()
    else:
        order.open()
    order.save(force_insert=True)
    lines = OrderLine.objects.bulk_create(_lines(order, cart))
    if order.state == OrderState.REJECTED:
        return lines, verdict
    take_stock(order=order, quantities=cart.quantities, expires_at=order.expires_at)
    require_within_limits(cart, user_id=order.user_id, email=order.email, now=now, besides=order)
    publish(
        OrderPlaced(
            reference=order.public_id,
            payable=order.payable,
            currency=order.currency,
            expires_at=order.expires_at.isoformat(),
        )
    )
    return lines, verdict


def _charge(order: Order, cart: PricedCart) -> None:
    price = cart.breakdown
    order.currency = price.currency
    order.subtotal = price.base.minor
    order.discount = price.discounts.minor
    order.tax = price.tax.minor
    order.tax_included = price.tax_included.minor
    order.shipping = price.shipping.minor
    order.payable = price.payable.minor


def _lines(order: Order, cart: PricedCart) -> list[OrderLine]:
    return [
        OrderLine(
            order=order,
            sku=cart.skus[line.sku],
            code=line.sku,
            title_zh=cart.skus[line.sku].title_zh,
            title_en=cart.skus[line.sku].title_en,
            image=cart.skus[line.sku].image,
            quantity=line.quantity,
            unit_price=line.unit_price.minor,
            discount=line.discount.minor,
            tax=line.tax.minor,
            tax_included=line.tax_included.minor,
            total=line.total.minor,
        )
        for line in cart.breakdown.lines
    ]


def _say_who_was_first(order: Order, collision: IntegrityError) -> None:
    """The same quote, or the same coupon, at the same moment."""
    _require_unused(order.quote_id, collision)
    require_unused(order.coupon, user_id=order.user_id, email=order.email)


def _require_unused(quote_id: str, collision: IntegrityError | None = None) -> None:
    earlier = Order.objects.filter(quote_id=quote_id).first()
    if earlier:
        raise QuoteReplayed(
            "An order was already placed with this quote; look at your orders.",
            param="quote",
            order=earlier.public_id,
        ) from collision


def _clean_email(email: str) -> str:
    cleaned = email.strip().lower()
    try:
        validate_email(cleaned)
    except ValidationError as invalid:
        raise EmailInvalid("Give an e-mail address like name@example.com.", param="email") from invalid
    if len(cleaned) > _LONGEST_EMAIL or not storable(cleaned):
        raise EmailInvalid("Give a shorter e-mail address.", param="email")
    return cleaned


def _kept(text: str) -> str:
    return "".join(character for character in text[:100] if storable(character))
