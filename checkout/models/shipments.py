"""Parcels, and what is in them."""

from datetime import datetime
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django_fsm import FSMModelMixin, transition

from checkout.models.orders import Order, OrderLine
from checkout.states import ShipmentState
from ledger.audit import StateAudit
from ledger.fields import StateField
from ledger.guards import Bell
from ledger.identifiers import decode, encode, new_key
from ledger.money import Money

PREFIX = "shp"
_STANDING = [ShipmentState.WAITING_FOR_MONEY, ShipmentState.SENT, ShipmentState.DELIVERED]
_LEFT = [ShipmentState.SENT, ShipmentState.DELIVERED]
_HAS_LEFT = "state IN ('SENT', 'DELIVERED')"
_FIXED = ("order", "business_key", "subtotal", "discount", "tax", "tax_included", "shipping", "amount")


class ShipmentQuerySet(models.QuerySet["Shipment"]):
    def locked(self) -> "ShipmentQuerySet":
        """After the order's lock."""
        return self.select_for_update(of=("self",)).order_by("pk")

    def named(self, public_id: str) -> "ShipmentQuerySet":
        """The shipment with this public identifier. Raises `ledger.identifiers.MalformedIdentifier`."""
        return self.filter(pk=decode(PREFIX, public_id))

    def waiting(self) -> "ShipmentQuerySet":
        return self.filter(state=ShipmentState.WAITING_FOR_MONEY)

    def standing(self) -> "ShipmentQuerySet":
        """All but those that were called off."""
        return self.filter(state__in=_STANDING)

    def left(self) -> "ShipmentQuerySet":
        """Those that left the house."""
        return self.filter(state__in=_LEFT)


class Shipment(FSMModelMixin, models.Model):
    """A part of an order that leaves together, and what it costs. It leaves only when that money is taken."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="shipments")
    business_key = models.CharField(max_length=120, unique=True)
    state = StateField(
        default=ShipmentState.WAITING_FOR_MONEY,
        choices=[(s.value, s.value) for s in ShipmentState],
        protected=True,
    )
    carrier = models.CharField(max_length=60)
    tracking = models.CharField(max_length=80, blank=True)
    subtotal = models.BigIntegerField()
    discount = models.BigIntegerField()
    tax = models.BigIntegerField()
    tax_included = models.BigIntegerField()
    shipping = models.BigIntegerField()
    amount = models.BigIntegerField()
    refusal = models.CharField(max_length=80, blank=True)  # why its money could not be taken
    requested_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)

    objects = ShipmentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="shipment_adds_up",
                condition=Q(amount=F("subtotal") - F("discount") + F("tax") + F("shipping")),
            ),
            models.CheckConstraint(
                name="shipment_amounts_not_negative",
                condition=Q(
                    amount__gte=0,
                    subtotal__gte=0,
                    discount__gte=0,
                    tax__gte=0,
                    tax_included__gte=0,
                    shipping__gte=0,
                ),
            ),
            models.CheckConstraint(name="shipment_state_known", condition=Q(state__in=sorted(ShipmentState))),
            models.UniqueConstraint(
                name="shipment_one_waits_per_order",
                fields=["order"],
                condition=Q(state=ShipmentState.WAITING_FOR_MONEY.value),
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["created_at"],
                name="shipment_waiting",
                condition=Q(state=ShipmentState.WAITING_FOR_MONEY.value),
            ),
        ]
        triggers: ClassVar = [
            StateAudit(PREFIX),
            Bell("checkout_ring_for_shipment", written=f"NEW.{_HAS_LEFT}"),
            Bell("checkout_ring_for_shipment", moved=f"NEW.{_HAS_LEFT} AND NOT OLD.{_HAS_LEFT}"),
            pgtrigger.ReadOnly(name="shipment_amounts_stay", fields=list(_FIXED)),
            pgtrigger.Protect(name="shipment_is_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return encode(PREFIX, self.id)

    @property
    def capture_key(self) -> str:
        """The name under which its money is captured."""
        return f"{self.public_id}:capture"

    @property
    def money(self) -> Money:
        return Money(self.amount, self.order.currency)

    @transition(state, source=ShipmentState.WAITING_FOR_MONEY, target=ShipmentState.SENT)
    def send(self, at: datetime) -> None:
        """Its money is taken; it leaves."""
        self.sent_at = at

    @transition(state, source=ShipmentState.WAITING_FOR_MONEY, target=ShipmentState.CALLED_OFF)
    def call_off(self, refusal: str) -> None:
        """Its money could not be taken: nothing leaves."""
        self.refusal = refusal[:80]

    @transition(state, source=ShipmentState.SENT, target=ShipmentState.DELIVERED)
    def deliver(self, at: datetime) -> None:
        self.delivered_at = at


class ShipmentLine(models.Model):
    """So many of one line of the order."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    shipment = models.ForeignKey(Shipment, on_delete=models.PROTECT, related_name="lines")
    line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="shipped")
    quantity = models.IntegerField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="shipment_line_quantity_positive", condition=Q(quantity__gt=0)),
            models.UniqueConstraint(name="shipment_line_once", fields=["shipment", "line"]),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(name="shipment_line_is_kept", operation=pgtrigger.Update | pgtrigger.Delete),
            # The line's lock makes those who ship of it wait for one another.
            pgtrigger.Trigger(
                name="never_more_than_ordered",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=[("ordered", "integer"), ("gone", "integer"), ("kept", "integer")],
                func="""
                    SELECT quantity INTO ordered FROM checkout_orderline WHERE id = NEW.line_id FOR UPDATE;
                    SELECT coalesce(sum(part.quantity), 0) INTO gone
                    FROM checkout_shipmentline part JOIN checkout_shipment parcel ON parcel.id = part.shipment_id
                    WHERE part.line_id = NEW.line_id AND parcel.state <> 'CALLED_OFF';
                    SELECT coalesce(sum(unsent), 0) INTO kept
                    FROM checkout_refundline WHERE line_id = NEW.line_id AND NOT released;
                    IF gone + kept + NEW.quantity > ordered THEN
                        RAISE EXCEPTION 'line %: % ordered, % shipped before, % refunded unsent',
                            NEW.line_id, ordered, gone, kept USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.line_id}"
