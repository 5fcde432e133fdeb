"""What of an order goes back with which refund."""

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q

from checkout.models.orders import Order, OrderLine
from ledger.identifiers import new_key

# The row that is being refunded is locked, so that of two refunds at once the second sees the first.
_NEVER_MORE_THAN_ORDERED = """
    IF NEW.line_id IS NULL THEN
        SELECT 0 AS quantity, shipping AS amount INTO ordered
        FROM checkout_order WHERE id = NEW.order_id FOR UPDATE;
    ELSE
        SELECT quantity, total + tax AS amount INTO ordered
        FROM checkout_orderline WHERE id = NEW.line_id FOR UPDATE;
    END IF;
    SELECT coalesce(sum(quantity), 0) AS quantity, coalesce(sum(amount), 0) AS amount,
        coalesce(sum(unsent), 0) AS unsent INTO back
    FROM checkout_refundline
    WHERE order_id = NEW.order_id AND line_id IS NOT DISTINCT FROM NEW.line_id AND NOT released
        AND id <> NEW.id;
    IF back.quantity + NEW.quantity > ordered.quantity OR back.amount + NEW.amount > ordered.amount THEN
        RAISE EXCEPTION 'refund line %: more than was ordered and is left', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT coalesce(sum(part.quantity), 0) INTO gone
    FROM checkout_shipmentline part JOIN checkout_shipment parcel ON parcel.id = part.shipment_id
    WHERE part.line_id = NEW.line_id AND parcel.state <> 'CALLED_OFF';
    IF NEW.unsent > 0 AND gone + back.unsent + NEW.unsent > ordered.quantity THEN
        RAISE EXCEPTION 'refund line %: % units are packed', NEW.id, gone USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""


class RefundLine(models.Model):
    """So many of an order's line (its shipping, where `line` is empty) for so much of the refund "ref_…"; or of the
    payment "pay_…" that let go of what it held for goods that were not sent.

    `unsent` of them had not left, and will not. `released` when the refund failed: they can be refunded, or sent,
    again. `restock` is how many are to be for sale again when the money is back, `restocked` how many are.
    """

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    refund = models.CharField(max_length=40, db_index=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="refund_lines")
    line = models.ForeignKey(OrderLine, null=True, on_delete=models.PROTECT, related_name="refunds")
    quantity = models.IntegerField()
    amount = models.BigIntegerField()
    unsent = models.IntegerField(default=0, db_default=0)
    restock = models.IntegerField(default=0, db_default=0)
    restocked = models.IntegerField(default=0)
    released = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="refund_line_quantity_fits",
                condition=Q(line__isnull=True, quantity=0) | Q(line__isnull=False, quantity__gt=0),
            ),
            models.CheckConstraint(name="refund_line_amount_not_negative", condition=Q(amount__gte=0)),
            models.CheckConstraint(
                name="refund_line_restocked_within_quantity",
                condition=Q(restocked__gte=0) & Q(restocked__lte=models.F("quantity")),
            ),
            models.CheckConstraint(
                name="refund_line_parts_within_quantity",
                condition=Q(unsent__gte=0, restock__gte=0)
                & Q(unsent__lte=models.F("quantity"))
                & Q(restock__lte=models.F("quantity")),
            ),
            models.UniqueConstraint(
                name="refund_line_once_per_refund", fields=["refund", "line"], nulls_distinct=False
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.Trigger(
                name="never_more_than_ordered",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("released"),  # type: ignore[no-untyped-call]
                condition=pgtrigger.Q(new__released=False),
                declare=[("ordered", "RECORD"), ("back", "RECORD"), ("gone", "integer")],
                func=_NEVER_MORE_THAN_ORDERED,
            ),
            pgtrigger.Protect(name="refund_line_is_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.order_id} with {self.refund}"
