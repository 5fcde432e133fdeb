from django.db import transaction
from django.utils import timezone

from checkout.errors import ShipmentNotSent
from checkout.facts import Viewer
from checkout.models import Order, Shipment
from checkout.selectors.orders import find_for_merchant
from checkout.selectors.shipments import ShipmentView
from checkout.selectors.shipments import shipment as view_of
from checkout.states import OrderState, ShipmentState
from ledger.audit import attribute


def mark_delivered(*, shipment: str, viewer: Viewer) -> ShipmentView:
    """This will note that a parcel arrived; when all of the order's have, the order is DONE.

    Its own transaction; locks the order, then the shipment. Twice is the same as once. Raises `ShipmentNotFound`,
    `ForMerchantsOnly`, `ShipmentNotSent`.
    """
    seen = view_of(shipment)
    order = find_for_merchant(seen.order, viewer)
    with transaction.atomic(durable=True):
        attribute(actor=viewer.actor, reason="delivered")
        row = Order.objects.locked().get(pk=order.pk)
        parcel = Shipment.objects.locked().named(shipment).get()
        if parcel.state not in (ShipmentState.SENT, ShipmentState.DELIVERED):
            raise ShipmentNotSent("This shipment has not left, so it can not have arrived.")
        if parcel.state == ShipmentState.SENT:
            parcel.deliver(timezone.now())
            parcel.save(update_fields=["state", "delivered_at"])
        under_way = Shipment.objects.filter(order=row, state=ShipmentState.SENT).exists()
        if row.state == OrderState.FULFILLED and not under_way:
            row.finish()
            row.save(update_fields=["state"])
    return view_of(shipment)
