"""Ship a part of a paid order, or all that is left of it."""

import hashlib
from collections.abc import Mapping

from django.db import transaction

from checkout.errors import OrderNotShippable, ShipmentKeyReused, ShipmentLinesInvalid, ShipmentWaiting
from checkout.facts import Viewer
from checkout.models import Order, Shipment, ShipmentLine
from checkout.selectors.orders import find_for_merchant
from checkout.selectors.shipments import ShipmentView, is_taken_back, packed_units, shipment, units_left
from checkout.services.take_shipment_money import take_shipment_money
from checkout.sharing import share
from checkout.states import OrderState
from ledger.audit import attribute


def ship_order(
    *,
    order: str,
    viewer: Viewer,
    lines: Mapping[str, int] | None,
    carrier: str,
    tracking: str,
    key: str,
) -> ShipmentView:
    """This will send off `lines` (article code to quantity; None: all that is left), once their money is taken.

    Where the money is only held, the shipment's share of it is captured first; the first shipment bears the shipping
    cost. Three phases: the shipment is stored WAITING_FOR_MONEY under the order's lock; the channel is asked with
    nothing open; it leaves in the transaction that books its money. It comes back SENT; or WAITING_FOR_MONEY, when
    the channel gave no clear answer (it leaves by itself as soon as the money is known to be taken, and is called
    off when it is not). The same `key` returns the first shipment. Raises `OrderNotFound`, `ForMerchantsOnly`,
    `OrderNotShippable`, `ShipmentLinesInvalid`, `ShipmentWaiting`, `ShipmentKeyReused`, `ShipmentNotPaid`,
    `payments.errors.PaymentInProgress` and `PaymentOutcomeUnknown`.
    """
    found = find_for_merchant(order, viewer)
    named = f"{found.public_id}:shipment:{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    with transaction.atomic(durable=True):
        attribute(actor=viewer.actor, reason="shipment")
        row = Order.objects.locked().get(pk=found.pk)
        parcel = Shipment.objects.filter(business_key=named).first()
        if parcel:
            _check_same(parcel, lines)
        else:
            parcel = _pack(row, lines, carrier, tracking, viewer.actor, named)
    take_shipment_money(shipment=parcel.public_id, actor=viewer.actor)
    return shipment(parcel.public_id)


def _check_same(parcel: Shipment, lines: Mapping[str, int] | None) -> None:
    if lines is None:
        return
    packed = dict(parcel.lines.values_list("line__code", "quantity"))
    if packed != dict(lines):
        raise ShipmentKeyReused("This shipment key was used for other contents; use a new key.", param="key")


def _pack(
    row: Order, lines: Mapping[str, int] | None, carrier: str, tracking: str, actor: str, named: str
) -> Shipment:
    _check_shippable(row)
    left = units_left(row)
    wanted = {code: units for code, units in left.items() if units} if lines is None else dict(lines)
    if not wanted and lines is not None:
        raise ShipmentLinesInvalid("Choose what leaves: at least one article.", param="lines")
    if not wanted:
        raise OrderNotShippable("All of this order has left already.")
    for code, units in wanted.items():
        if type(units) is not int or not 0 < units <= left.get(code, 0):
            raise ShipmentLinesInvalid(
                f"Of {code[:40]!r} {left.get(code, 0)} are left to ship; choose that many at most.",
                param="lines",
            )
    ordered, packed = {line.code: line for line in row.lines.all()}, packed_units(row)
    cost = share(
        (ordered[code].part(sent=packed.get(code, 0), now=units) for code, units in wanted.items()),
        shipping=0 if Shipment.objects.standing().filter(order=row).exists() else row.shipping,
    )
    parcel = Shipment.objects.create(
        order=row,
        business_key=named,
        carrier=carrier,
        tracking=tracking,
        subtotal=cost.subtotal,
        discount=cost.discount,
        tax=cost.tax,
        tax_included=cost.tax_included,
        shipping=cost.shipping,
        amount=cost.amount,
        requested_by=actor,
    )
    for code, units in sorted(wanted.items()):
        ShipmentLine.objects.create(shipment=parcel, line=ordered[code], quantity=units)
    return parcel


def _check_shippable(row: Order) -> None:
    if row.state not in (OrderState.PAID, OrderState.FULFILLING):
        raise OrderNotShippable("Only an order that is paid, and has not wholly left, can be shipped.")
    if Shipment.objects.waiting().filter(order=row).exists():
        raise ShipmentWaiting("Another shipment of this order waits for its money; ship when it has left.")
    if is_taken_back(row):
        raise OrderNotShippable("The money of this order is on its way back, or disputed: nothing may leave.")
