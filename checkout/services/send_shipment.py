from django.db import connection
from django.utils import timezone

from checkout.events import OrderShipped
from checkout.models import Shipment
from checkout.selectors.shipments import cost_by_sku, nothing_to_send
from checkout.services.book_returns import book_returns
from checkout.services.close_rest import close_rest
from checkout.states import OrderState
from ledger.money import Money
from ledger.services.post import Entry, post
from payments.outbox import publish


def send_shipment(*, shipment: Shipment) -> None:
    """This will let a waiting shipment leave: its money was taken, so what was prepaid is sold now.

    An operation; the order and the shipment must be locked, `shipment.order` being the locked row.
    """
    assert connection.in_atomic_block, "send_shipment() is an operation"
    order = shipment.order
    now = timezone.now()
    shipment.send(now)
    shipment.save(update_fields=["state", "sent_at"])
    if order.state == OrderState.PAID:
        order.begin_fulfilment()
    complete = nothing_to_send(order)
    if complete:
        order.fulfil(now)
    order.save(update_fields=["state", "fulfilled_at"])
    _book(shipment)
    book_returns(order=order)
    publish(
        OrderShipped(
            reference=order.public_id,
            payable=order.payable,
            currency=order.currency,
            shipment=shipment.public_id,
            carrier=shipment.carrier,
            tracking=shipment.tracking,
            complete=complete,
        )
    )
    close_rest(order=order, reason="not_captured")


def _book(shipment: Shipment) -> None:
    order = shipment.order
    entries = [
        Entry("customer_prepayments", Money(shipment.amount, order.currency)),
        Entry(f"tax_payable:{order.country}", Money(-shipment.tax - shipment.tax_included, order.currency)),
        Entry("sales", Money(-shipment.shipping, order.currency)),
    ]
    for sku, part in cost_by_sku(shipment).items():
        entries += [
            Entry("sales", Money(part.tax_included - part.subtotal, order.currency), item=sku),
            Entry("discounts", Money(part.discount, order.currency), item=sku),
        ]
    entries = [entry for entry in entries if entry.amount.minor]
    if entries:
        post(
            business_key=f"{shipment.public_id}:shipped",
            reference=order.public_id,
            description="Shipped",
            entries=entries,
            happened_at=shipment.sent_at,
        )
