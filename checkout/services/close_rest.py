from django.db import connection
from django.utils import timezone

from checkout.errors import StockBooksDisagree
from checkout.events import OrderRestCancelled
from checkout.models import Order, OrderLine, RefundLine, Shipment, Stock
from checkout.selectors.refunds import what_is_left
from checkout.selectors.shipments import money_for, packed_units, units_left
from checkout.sharing import LinePart, share
from checkout.states import OrderState
from payments.outbox import publish


def close_rest(*, order: Order, reason: str) -> None:
    """This will end a partly sent order whose unsent rest has no money any more: the rest is for sale again.

    Only when all that was taken has left as goods and nothing is held; what was paid and not sent is a person's
    matter. Nothing was taken for the rest, so nothing is booked. An operation; the order must be locked; locks its
    shipments, then its stock.
    """
    assert connection.in_atomic_block, "close_rest() is an operation"
    ahead, held = money_for(order)
    left = {code: units for code, units in units_left(order).items() if units}
    waits = Shipment.objects.waiting().filter(order=order).exists()
    if order.state != OrderState.FULFILLING or ahead > 0 or held or waits or not left:
        return
    rest = _rest(order, left)
    if not sum(part.amount for part in rest):
        return  # free of charge: it may still be sent
    RefundLine.objects.bulk_create(rest)
    if not Stock.objects.put_back({part.line.sku_id: part.quantity for part in rest if part.line}):
        raise StockBooksDisagree(f"The stock of {order.public_id} is gone.")
    order.fulfil(timezone.now())
    order.save(update_fields=["state", "fulfilled_at"])
    publish(
        OrderRestCancelled(
            reference=order.public_id,
            payable=order.payable,
            currency=order.currency,
            unsent=sum(part.amount for part in rest),
            reason=reason,
        )
    )


def _rest(order: Order, left: dict[str, int]) -> list[RefundLine]:
    packed, worth = packed_units(order), what_is_left(order).by_sku
    return [
        RefundLine(
            refund=order.paid_by,
            order=order,
            line=line,
            quantity=left[line.code],
            amount=min(_cost(line, packed.get(line.code, 0), left[line.code]), worth[line.code].amount.minor),
            unsent=left[line.code],
            restock=left[line.code],
            restocked=left[line.code],
        )
        for line in order.lines.filter(code__in=left).order_by("sku_id")
    ]


def _cost(line: OrderLine, sent: int, units: int) -> int:
    part = LinePart(
        quantity=line.quantity,
        sent=sent,
        now=units,
        unit_price=line.unit_price,
        discount=line.discount,
        tax=line.tax,
        tax_included=line.tax_included,
    )
    return share([part], shipping=0).amount
