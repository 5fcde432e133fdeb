"""Orders as their customers and operators see them."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from checkout.errors import ForMerchantsOnly, OrderNotFound
from checkout.facts import READ_ORDERS, WRITE_ORDERS, Address, Viewer
from checkout.models import Order, OrderLine
from checkout.selectors.shipments import ShipmentLineView, ShipmentView, shipments_of, unsent_of
from checkout.states import PAID, OrderState
from ledger.identifiers import MalformedIdentifier
from ledger.money import Money
from payments.selectors import PaymentView, payments_of
from payments.states import PaymentState

_MONEY_ON_ITS_WAY = {
    PaymentState.PROCESSING,
    PaymentState.UNKNOWN,
    PaymentState.AUTHORIZED,
    PaymentState.SUCCEEDED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLineView:
    sku: str
    title_zh: str
    title_en: str
    image: str
    quantity: int
    unit_price: Money
    total: Money

    def title(self, locale: str) -> str:
        return self.title_zh if locale.startswith("zh") else self.title_en


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSummary:
    """One line of a list of orders: no payments, no address."""

    id: str  # ord_…
    state: OrderState
    payable: Money
    lines: tuple[OrderLineView, ...]
    placed_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """`payable` = `subtotal` - `discount` + `tax` + `shipping`; `tax_included` is inside the subtotal already."""

    id: str  # ord_…
    state: OrderState
    lines: tuple[OrderLineView, ...]
    email: str
    address: Address
    locale: str  # "zh-hans" or "en"
    subtotal: Money
    discount: Money
    tax: Money
    tax_included: Money
    shipping: Money
    payable: Money
    refunded: Money
    placed_at: datetime
    expires_at: datetime  # stock is held until then
    payments: tuple[PaymentView, ...]  # newest first
    shipments: tuple[ShipmentView, ...]  # oldest first
    unsent: tuple[ShipmentLineView, ...]  # what will not be sent, since its money was let go
    can_pay: bool
    can_cancel: bool
    can_refund: bool
    can_reopen: bool


def order(order_id: str, viewer: Viewer) -> OrderView:
    """The order. Raises `OrderNotFound`, also for other people's and for a malformed identifier."""
    return shown(find(order_id, viewer, READ_ORDERS).public_id)


def orders_of(viewer: Viewer, *, limit: int = 50, before: str = "") -> list[OrderSummary]:
    """The viewer's orders, newest first; `before` is the last identifier of the page before.

    Own ones, by account and by tokens; everybody's for a viewer with `orders:read`. Raises `OrderNotFound` when
    `before` is no order identifier.
    """
    rows = Order.objects.filter(_visible_to(viewer, READ_ORDERS)).prefetch_related("lines").order_by("-pk")
    if before:
        rows = rows.filter(pk__lt=find(before, viewer, READ_ORDERS).pk)
    return [
        OrderSummary(
            id=row.public_id,
            state=OrderState(row.state),
            payable=row.owed,
            lines=_lines(row, row.lines.all()),
            placed_at=row.created_at,
            expires_at=row.expires_at,
        )
        for row in rows[:limit]
    ]


def find(order_id: str, viewer: Viewer, scope: str) -> Order:
    """The row, for this app's use cases: the viewer's own, or anybody's with `scope`. Raises `OrderNotFound`."""
    try:
        return Order.objects.named(order_id).get(_visible_to(viewer, scope))
    except (MalformedIdentifier, Order.DoesNotExist) as absent:
        raise OrderNotFound(
            "There is no such order among yours; check its number.", param="order"
        ) from absent


def find_for_merchant(order_id: str, viewer: Viewer) -> Order:
    """The row, for what customers do not do with their own orders. Raises `OrderNotFound`, `ForMerchantsOnly`."""
    row = find(order_id, viewer, WRITE_ORDERS)
    if not viewer.may(WRITE_ORDERS):
        raise ForMerchantsOnly("Only the merchant does this: use an API key with orders:write.")
    return row


def shown(order_id: str) -> OrderView:
    """The order as it is now, for this app's use cases, which have asked `find` before."""
    row = Order.objects.named(order_id).get()
    return view_of(row, list(row.lines.order_by("code")), payments_of(order_id))


def guest_token(order_id: str) -> str:
    """The token that opens a guest's order. Derived, so that an answer which was lost can be given again."""
    digest = hmac.digest(settings.SECRET_KEY.encode(), f"checkout.order:{order_id}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def view_of(row: Order, lines: Sequence[OrderLine], payments: Sequence[PaymentView]) -> OrderView:
    state = OrderState(row.state)
    pending = state == OrderState.PENDING_PAYMENT
    payment_states = {payment.state for payment in payments}
    refunded = sum(payment.refunded.minor for payment in payments)
    return OrderView(
        id=row.public_id,
        state=state,
        lines=_lines(row, lines),
        email=row.email,
        address=Address(**row.address),
        locale=row.locale,
        subtotal=Money(row.subtotal, row.currency),
        discount=Money(row.discount, row.currency),
        tax=Money(row.tax, row.currency),
        tax_included=Money(row.tax_included, row.currency),
        shipping=Money(row.shipping, row.currency),
        payable=row.owed,
        refunded=Money(refunded, row.currency),
        placed_at=row.created_at,
        expires_at=row.expires_at,
        payments=tuple(payments),
        shipments=shipments_of(row) if payments else (),  # nothing leaves before somebody paid
        unsent=unsent_of(row) if row.paid_by else (),
        can_pay=pending
        and timezone.now() < row.expires_at
        and not payment_states & (_MONEY_ON_ITS_WAY | {PaymentState.IN_REVIEW}),
        can_cancel=pending and not payment_states & _MONEY_ON_ITS_WAY,
        can_refund=state in PAID and any(payment.refundable.minor > 0 for payment in payments),
        can_reopen=state == OrderState.CANCELLED,
    )


def own(viewer: Viewer) -> Q:
    """For this app's reads: the viewer's own orders, by account and by tokens."""
    by_token = Q(access_token_hash__in=[token_hash(token) for token in viewer.order_tokens])
    return by_token if viewer.user_id is None else by_token | Q(user_id=viewer.user_id)


def _visible_to(viewer: Viewer, scope: str) -> Q:
    return Q() if viewer.may(scope) else own(viewer)


def _lines(row: Order, lines: Iterable[OrderLine]) -> tuple[OrderLineView, ...]:
    return tuple(
        OrderLineView(
            sku=line.code,
            title_zh=line.title_zh,
            title_en=line.title_en,
            image=line.image,
            quantity=line.quantity,
            unit_price=Money(line.unit_price, row.currency),
            total=Money(line.total, row.currency),
        )
        for line in lines
    )
