from django.db import transaction

from checkout.errors import ShipmentNotPaid
from checkout.models import Order, Shipment
from checkout.selectors.shipments import is_taken_back, money_for, units_left
from checkout.services.call_off_shipment import call_off_shipment
from checkout.services.send_shipment import send_shipment
from checkout.states import ShipmentState
from ledger.audit import attribute
from ledger.errors import Refusal
from ledger.money import Money
from payments.errors import CaptureExceedsHeld, PaymentInProgress, PaymentNotCapturable, PaymentOutcomeUnknown
from payments.selectors import capture_named, captures_in_parts
from payments.services.capture_payment import capture_payment

_NEVER = (PaymentNotCapturable, CaptureExceedsHeld)
_NOT_NOW = (PaymentInProgress, PaymentOutcomeUnknown)


def take_shipment_money(*, shipment: str, actor: str) -> None:
    """This will capture what a waiting shipment costs, and let it leave when its money is there.

    Opens its own transactions and asks the channel between them; safe to repeat: the capture's key is the
    shipment's. Where the channel captures only once, the first shipment takes the whole order's money. Raises
    `ShipmentNotPaid` when the money is refused, `PaymentInProgress` and `PaymentOutcomeUnknown` when something else
    moves the payment just now: the shipment is called off in each case.
    """
    missing = _send_what_is_paid(shipment, actor)
    if missing is None:
        _refuse_called_off(shipment)
        return
    row = Shipment.objects.named(shipment).select_related("order").get()
    asked_before = capture_named(row.order.paid_by, row.capture_key) is not None
    try:
        capture_payment(
            payment=row.order.paid_by,
            amount=None if asked_before else missing,
            final=not any(units_left(row.order).values()),
            actor=actor,
            reason="shipment",
            key=row.capture_key,
        )
    except (*_NEVER, *_NOT_NOW) as refusal:
        _call_off(shipment, refusal)
        if isinstance(refusal, _NOT_NOW):
            raise
        raise ShipmentNotPaid(f"The money of this shipment can not be taken: {refusal}") from refusal
    _refuse_called_off(shipment)


def _refuse_called_off(shipment: str) -> None:
    after = Shipment.objects.named(shipment).get()
    if after.state == ShipmentState.CALLED_OFF:
        raise ShipmentNotPaid(f"This shipment's money is not there ({after.refusal}): keep the goods here.")


def _send_what_is_paid(shipment: str, actor: str) -> Money | None:
    """Let it leave when its money is there already; else what is missing (None: nothing waits)."""
    found = Shipment.objects.named(shipment).get()
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason="shipment")
        order = Order.objects.locked().get(pk=found.order_id)
        row = Shipment.objects.locked().get(pk=found.pk)
        if row.state != ShipmentState.WAITING_FOR_MONEY:
            return None
        row.order = order
        if is_taken_back(order):
            call_off_shipment(shipment=row, refusal="money_taken_back")
            return None
        taken, held = money_for(order)
        missing = row.amount - taken
        if missing <= 0:
            send_shipment(shipment=row)
            return None
    if not captures_in_parts(order.paid_by):
        return Money(held, order.currency) if held else Money(missing, order.currency)
    return Money(missing, order.currency)


def _call_off(shipment: str, refusal: Refusal) -> None:
    found = Shipment.objects.named(shipment).get()
    with transaction.atomic(durable=True):
        Order.objects.locked().get(pk=found.order_id)
        row = Shipment.objects.locked().get(pk=found.pk)
        if row.state == ShipmentState.WAITING_FOR_MONEY:
            call_off_shipment(shipment=row, refusal=refusal.code)
