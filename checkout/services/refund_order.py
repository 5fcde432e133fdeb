"""Give money of a paid order back."""

import hashlib
from collections.abc import Mapping
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from checkout.errors import LinesAlreadyRefunded, OrderNotRefundable, RefundPartsInvalid
from checkout.facts import WRITE_REFUNDS, RefundWish, Viewer
from checkout.models import Order, RefundLine
from checkout.rules import shares, worth
from checkout.selectors.orders import find
from checkout.selectors.refunds import OrderLeft, what_is_left
from checkout.selectors.shipments import money_for, units_left
from checkout.states import OrderState
from ledger.audit import attribute
from ledger.money import Money
from payments import selectors
from payments.errors import RefundKeyReused
from payments.selectors import RefundView
from payments.services.ask_first import ask_first
from payments.services.carry_out_refund import carry_out_refund
from payments.services.queue_refund import queue_refund


def refund_order(
    *,
    order: str,
    viewer: Viewer,
    reason: str,
    key: str,
    amount: Money | None = None,
    lines: Mapping[str, int] | None = None,
    shipping: bool = False,
    restock: bool | None = None,
    cause: str = "",
) -> RefundView:
    """This will ask for a refund of an `amount`, of articles (`lines`: so many by SKU) and the `shipping`, or of all.

    `key` is the caller's name for this refund among the order's: the same `key` never refunds twice. `restock` puts the
    articles up for sale again (None: when they never left the house). `cause` is a `RefundCause`, and the shop's to
    say. A customer's own wish waits for approval once the goods are on their way or the time for it is over. Raises
    `OrderNotFound`, `OrderNotRefundable`, `RefundPartsInvalid`, `LinesAlreadyRefunded` and all that `request_refund`
    raises. Opens its own transactions; locks payment, then order; asks the provider between them.
    """
    wish = RefundWish(lines=lines or {}, shipping=shipping, amount=amount, restock=restock)
    row = find(order, viewer, WRITE_REFUNDS)
    if restock is not None and not viewer.may(WRITE_REFUNDS):
        raise RefundPartsInvalid("What is for sale again is for the shop to decide.", param="restock")
    if cause and not viewer.may(WRITE_REFUNDS):
        raise RefundPartsInvalid("Why it goes back is for the shop to say.", param="cause")
    if not row.paid_by:
        raise OrderNotRefundable("Nothing was paid for this order, so there is nothing to refund.")
    ask_first(payment=row.paid_by)
    name = f"{row.public_id}:refund:{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    with transaction.atomic(durable=True):
        attribute(actor=viewer.actor, reason=reason)
        earlier = selectors.refund_by_key(name)
        refund = queue_refund(
            payment=row.paid_by,
            amount=earlier.amount if earlier and wish.parts else _amount(row, wish),
            reason=reason,
            actor=viewer.actor,
            key=name,
            must_wait=_must_wait(row, viewer),
            cause=cause,
        )
        _claim(Order.objects.locked().get(pk=row.pk), refund, wish)
    carry_out_refund(refund=refund.id)
    return selectors.refund(refund.id)


def _must_wait(row: Order, viewer: Viewer) -> bool:
    if viewer.may(WRITE_REFUNDS):
        return False
    in_time = timezone.now() - row.opened_at <= timedelta(days=settings.REFUND_WINDOW_DAYS)
    return row.state != OrderState.PAID or not in_time


def _amount(row: Order, wish: RefundWish) -> Money | None:
    if not wish.parts:
        return wish.amount
    parts = _parts(what_is_left(row), wish)
    return Money(sum(amount for _, _, amount in parts), row.currency)


def _claim(row: Order, refund: RefundView, wish: RefundWish) -> None:
    """Note what goes back with the refund, as it is under the lock."""
    noted = list(RefundLine.objects.filter(refund=refund.id).select_related("line"))
    if noted:
        if wish.parts and {line.line.code: line.quantity for line in noted if line.line} != dict(wish.lines):
            raise RefundKeyReused("This refund key was used for another refund; use a new key.", param="key")
        return
    left = what_is_left(row)
    parts = _parts(left, wish) if wish.parts else _all(left, refund.amount.minor) if wish.whole else []
    if wish.parts and sum(amount for _, _, amount in parts) != refund.amount.minor:
        raise LinesAlreadyRefunded("Some of it was refunded just now. Look at the order again.")
    keys, unsent = {line.sku: line.key for line in left.lines}, _unsent(row, parts)
    RefundLine.objects.bulk_create(
        RefundLine(
            refund=refund.id,
            order=row,
            line_id=keys.get(sku),
            quantity=quantity,
            amount=amount,
            unsent=unsent[sku],
            restock=unsent[sku] if wish.restock is None else quantity * wish.restock,
        )
        for sku, quantity, amount in parts
    )


def _unsent(row: Order, parts: list[tuple[str, int, int]]) -> dict[str, int]:
    """How many of each are not sent any more: what has not left goes first, where its money was taken already."""
    ahead, _ = money_for(row)
    left = units_left(row) if ahead > 0 else {}
    return {sku: min(quantity, left.get(sku, 0)) for sku, quantity, _ in parts}


def _parts(left: OrderLeft, wish: RefundWish) -> list[tuple[str, int, int]]:
    """(SKU or "" for the shipping, quantity, minor units) of what was named."""
    lines, parts = left.by_sku, []
    for sku, quantity in wish.lines.items():
        line = lines.get(sku)
        if line is None or quantity > line.quantity:
            there_are = f"{line.quantity} of {sku} are left" if line else f"The order has no {sku}"
            raise LinesAlreadyRefunded(f"{there_are} to refund.", param="lines")
        amount = worth(amount_left=line.amount.minor, quantity_left=line.quantity, quantity=quantity)
        parts.append((sku, quantity, amount))
    if wish.shipping:
        if not left.shipping.minor:
            raise LinesAlreadyRefunded("There is no shipping left to refund.", param="shipping")
        parts.append(("", 0, left.shipping.minor))
    return parts


def _all(left: OrderLeft, total: int) -> list[tuple[str, int, int]]:
    """Everything that is left, for what is left of the money: amounts may have gone back without articles."""
    parts = [(line.sku, line.quantity, line.amount.minor) for line in left.lines if line.quantity]
    if left.shipping.minor:
        parts.append(("", 0, left.shipping.minor))
    split = shares(min(total, sum(amount for _, _, amount in parts)), [amount for _, _, amount in parts])
    return [(sku, quantity, amount) for (sku, quantity, _), amount in zip(parts, split, strict=True)]
