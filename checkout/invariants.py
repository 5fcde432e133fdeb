"""What must be true of orders and stock, derived again from the rows. Set-based; memory stays flat."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from django.db import connection, models
from django.db.models import Sum

from checkout.models import Order, OrderLine, RefundLine, Reservation, Shipment, Stock
from checkout.states import OrderState, ShipmentState
from ledger.identifiers import MalformedIdentifier, decode
from ledger.invariants import Check, Finding
from ledger.selectors import entries_by_key
from payments.selectors import TakenMoney, money_taken

_CHUNK = 2000
_T = TypeVar("_T")

# Each returns (subject, detail) of the broken rows and nothing of the sound ones.
_OVERSOLD = """
SELECT sku.code, format('%s reserved of %s', stock.reserved, stock.total)
FROM checkout_stock AS stock JOIN checkout_sku AS sku ON sku.id = stock.sku_id
WHERE stock.reserved < 0 OR stock.reserved > stock.total
"""
_RESERVED_DIFFERS = """
SELECT sku.code, format('says %s reserved, live reservations hold %s', stock.reserved, coalesce(held.total, 0))
FROM checkout_stock AS stock
JOIN checkout_sku AS sku ON sku.id = stock.sku_id
LEFT JOIN (
    SELECT sku_id, sum(quantity) AS total FROM checkout_reservation WHERE state = 'RESERVED' GROUP BY sku_id
) AS held ON held.sku_id = stock.sku_id
WHERE stock.reserved <> coalesce(held.total, 0)
"""
_LINES_DIFFER = """
SELECT ledger_public_id('ord', ordered.id), format(
    'charges %s, its lines make %s', ordered.payable, coalesce(lines.total, 0) + ordered.tax + ordered.shipping)
FROM checkout_order AS ordered
LEFT JOIN (
    SELECT order_id, sum(unit_price * quantity) AS base, sum(discount) AS discount, sum(total) AS total,
        sum(tax) AS tax, sum(tax_included) AS tax_included
    FROM checkout_orderline GROUP BY order_id
) AS lines ON lines.order_id = ordered.id
WHERE (ordered.subtotal, ordered.discount, ordered.tax, ordered.tax_included, ordered.payable)
    IS DISTINCT FROM (lines.base, lines.discount, lines.tax, lines.tax_included,
        lines.total + lines.tax + ordered.shipping)
"""
# The quote is v1.<key>.<terms as JSON in unpadded base64url>.<signature>; a damaged one must not stop the check.
_QUOTE_DIFFERS = r"""
SELECT ledger_public_id('ord', id), format('charges %s %s, its quote says otherwise', payable, currency)
FROM (
    SELECT id, payable, currency, quote_id, CASE
        WHEN quote ~ '^v1\.[^.]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$' AND length(split_part(quote, '.', 3)) % 4 <> 1
        THEN encode(decode(translate(split_part(quote, '.', 3), '-_', '+/')
            || repeat('=', (4 - length(split_part(quote, '.', 3)) % 4) % 4), 'base64'), 'escape')
        END AS terms
    FROM checkout_order
) AS ordered
WHERE substring(terms FROM '"payable":([0-9]+)') IS DISTINCT FROM payable::text
    OR substring(terms FROM '"currency":"([A-Z]+)"') IS DISTINCT FROM currency
    OR substring(terms FROM '"id":"([^"]+)"') IS DISTINCT FROM quote_id
"""
# What an order in this state must hold of each of its lines.
_HOLDS_DIFFER = """
SELECT ledger_public_id('ord', ordered.id), format('is %s, and of %s of its %s lines the stock is not %s',
    ordered.state, count(*) FILTER (WHERE held.quantity IS DISTINCT FROM line.quantity), count(*),
    CASE WHEN ordered.state = 'PENDING_PAYMENT' THEN 'held' ELSE 'sold' END)
FROM checkout_order AS ordered
JOIN checkout_orderline AS line ON line.order_id = ordered.id
LEFT JOIN checkout_reservation AS held ON held.order_id = ordered.id AND held.sku_id = line.sku_id
    AND held.state = CASE WHEN ordered.state = 'PENDING_PAYMENT' THEN 'RESERVED' ELSE 'CONFIRMED' END
WHERE ordered.state IN ('PENDING_PAYMENT', 'PAID', 'FULFILLING', 'FULFILLED', 'DONE')
GROUP BY ordered.id, ordered.state
HAVING count(*) FILTER (WHERE held.quantity IS DISTINCT FROM line.quantity) > 0
"""
_HELD_FOR_NOBODY = """
SELECT ledger_public_id('ord', ordered.id), format('is %s and still holds stock', ordered.state)
FROM checkout_order AS ordered
WHERE ordered.state <> 'PENDING_PAYMENT' AND EXISTS (
    SELECT 1 FROM checkout_reservation AS held WHERE held.order_id = ordered.id AND held.state = 'RESERVED')
"""
_REFUNDED_MORE = """
SELECT ledger_public_id('ord', line.order_id), format('%s of %s %s are refunded for %s of %s, %s are for sale again',
    sum(back.quantity) FILTER (WHERE NOT back.released), line.quantity, line.code,
    sum(back.amount) FILTER (WHERE NOT back.released), line.total + line.tax, sum(back.restocked))
FROM checkout_refundline AS back JOIN checkout_orderline AS line ON line.id = back.line_id
GROUP BY line.id
HAVING coalesce(sum(back.quantity) FILTER (WHERE NOT back.released), 0) > line.quantity
    OR coalesce(sum(back.amount) FILTER (WHERE NOT back.released), 0) > line.total + line.tax
    OR sum(back.restocked) > line.quantity OR bool_or(back.order_id <> line.order_id)
"""
_SHIPPED_TOO_MUCH = """
SELECT ledger_public_id('ord', ordered.id), format('is %s with %s of %s units of %s packed', ordered.state,
    coalesce(packed.units, 0), line.quantity, line.code)
FROM checkout_order AS ordered
JOIN checkout_orderline AS line ON line.order_id = ordered.id
LEFT JOIN (
    SELECT part.line_id, sum(part.quantity) AS units,
        sum(part.quantity) FILTER (WHERE parcel.state <> 'WAITING_FOR_MONEY') AS gone
    FROM checkout_shipmentline AS part JOIN checkout_shipment AS parcel ON parcel.id = part.shipment_id
    WHERE parcel.state <> 'CALLED_OFF' GROUP BY part.line_id
) AS packed ON packed.line_id = line.id
LEFT JOIN (
    SELECT line_id, sum(unsent) AS units, sum(unsent) FILTER (WHERE NOT released) AS counting
    FROM checkout_refundline GROUP BY line_id
) AS kept ON kept.line_id = line.id
WHERE coalesce(packed.units, 0) + coalesce(kept.counting, 0) > line.quantity
    OR coalesce(packed.gone, 0) > 0 AND ordered.state NOT IN ('FULFILLING', 'FULFILLED', 'DONE')
    OR coalesce(packed.gone, 0) + coalesce(kept.units, 0) < line.quantity AND ordered.state IN ('FULFILLED', 'DONE')
"""
_SHARES_DIFFER = """
SELECT ledger_public_id('ord', ordered.id), format('charges %s, its shipments make %s', ordered.payable, sent.amount)
FROM checkout_order AS ordered
JOIN (
    SELECT order_id, sum(amount) AS amount, sum(subtotal) AS subtotal, sum(discount) AS discount, sum(tax) AS tax,
        sum(tax_included) AS tax_included, sum(shipping) AS shipping
    FROM checkout_shipment WHERE state IN ('SENT', 'DELIVERED') GROUP BY order_id
) AS sent ON sent.order_id = ordered.id
WHERE sent.amount > ordered.payable OR ordered.state IN ('FULFILLED', 'DONE')
    AND NOT EXISTS (SELECT 1 FROM checkout_refundline WHERE order_id = ordered.id AND unsent > 0)
    AND (sent.amount, sent.subtotal, sent.discount, sent.tax, sent.tax_included, sent.shipping)
        <> (ordered.payable, ordered.subtotal, ordered.discount, ordered.tax, ordered.tax_included, ordered.shipping)
"""


def check() -> Iterator[Check]:
    yield _by_sql("checkout.oversold", Stock, _OVERSOLD)
    yield _by_sql("checkout.reserved_is_held", Stock, _RESERVED_DIFFERS)
    yield _by_sql("checkout.order_is_its_lines", OrderLine, _LINES_DIFFER)
    yield _by_sql("checkout.order_is_its_quote", Order, _QUOTE_DIFFERS)
    yield _by_sql("checkout.open_orders_hold_paid_orders_have", Order, _HOLDS_DIFFER)
    yield _by_sql("checkout.held_for_nobody", Reservation, _HELD_FOR_NOBODY)
    yield _by_sql("checkout.refunded_within_ordered", RefundLine, _REFUNDED_MORE)
    yield _by_sql("checkout.sent_is_what_was_ordered", Shipment, _SHIPPED_TOO_MUCH)
    yield _by_sql("checkout.shares_make_the_order", Shipment, _SHARES_DIFFER)
    yield "checkout.shipments_in_journal", Shipment.objects.count(), _shipments_not_booked()
    paid = Order.objects.exclude(paid_by="")
    yield "checkout.paid_order_has_payment", paid.count(), _orders_without_payment(paid)
    yield "checkout.payment_has_paid_order", paid.count(), _payments_without_order()


def _by_sql(name: str, table: type[models.Model], sql: str) -> Check:
    return name, table._default_manager.count(), _rows(name, sql)


def _rows(name: str, sql: str) -> Iterator[Finding]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql)
        while rows := cursor.fetchmany(_CHUNK):
            for subject, detail in rows:
                yield Finding(name, subject, detail)


def _shipments_not_booked() -> Iterator[Finding]:
    """What left was sold, and nothing else was."""
    for chunk in _chunks(Shipment.objects.select_related("order").order_by("pk").iterator(_CHUNK)):
        posted = entries_by_key([f"{row.public_id}:shipped" for row in chunk])
        for row in chunk:
            booked = {
                entry.account: entry.amount.minor for entry in posted.get(f"{row.public_id}:shipped", ())
            }
            left = row.state in (ShipmentState.SENT, ShipmentState.DELIVERED)
            prepaid = booked.get("customer_prepayments", 0)
            if prepaid != (row.amount if left else 0):
                detail = f"is {row.state} for {row.amount}, the journal says {prepaid}"
                yield Finding("checkout.shipments_in_journal", row.public_id, detail)


def _orders_without_payment(paid: models.QuerySet[Order]) -> Iterator[Finding]:
    """A paid order's money is secured; that of an order cancelled after payment is back, or on its way back."""
    for chunk in _chunks(paid.order_by("pk").iterator(_CHUNK)):
        money = {taken.payment: taken for taken in money_taken([row.public_id for row in chunk])}
        sent = _sent(chunk)
        for row in chunk:
            if problem := _what_is_wrong(row, money.get(row.paid_by), sent.get(row.pk, 0)):
                yield Finding("checkout.paid_order_has_payment", row.public_id, problem)


def _sent(orders: list[Order]) -> dict[Any, int]:
    """Key of an order to what the goods cost that left."""
    parcels = Shipment.objects.left().filter(order__in=[row.pk for row in orders])
    return dict(parcels.values_list("order_id").annotate(sum=Sum("amount")))


def _what_is_wrong(row: Order, taken: TakenMoney | None, sent: int) -> str:
    if row.state == OrderState.CANCELLED_AFTER_PAY:
        kept = taken.captured - taken.returning if taken else 0
        return f"is {row.state}, but {kept} {row.currency} are not going back" if kept else ""
    if taken is None:
        return f"is {row.state} by {row.paid_by or 'nobody'}, which has no money for it"
    if sent > taken.captured:
        return f"sent goods for {sent} {row.currency}, {taken.payment} took {taken.captured}"
    # What is not sent may lapse, or the shop lets it go; what has not begun to leave is secured whole but for that.
    secured = taken.captured + taken.held
    whole = secured + taken.let_go == row.payable
    if taken.currency != row.currency or (row.state == OrderState.PAID and not whole):
        return f"charges {row.payable} {row.currency}, {taken.payment} secured {secured} {taken.currency}"
    return ""


def _payments_without_order() -> Iterator[Finding]:
    """Money that was taken belongs to a paid order, or is going back."""
    for chunk in _chunks(money_taken()):
        keys = {taken.reference: _key(taken.reference) for taken in chunk}
        paid_by = {
            row.public_id: row.paid_by
            for row in Order.objects.filter(pk__in=[key for key in keys.values() if key])
        }
        for taken in chunk:
            if paid_by.get(taken.reference) != taken.payment and taken.returning != taken.captured:
                detail = f"took {taken.captured} {taken.currency} for {taken.reference}, which it did not pay"
                yield Finding("checkout.payment_has_paid_order", taken.payment, detail)


def _key(reference: str) -> object:
    try:
        return decode("ord", reference)
    except MalformedIdentifier:
        return None


def _chunks(rows: Iterable[_T]) -> Iterator[list[_T]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
