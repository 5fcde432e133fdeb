"""Stock held for an order."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django_fsm import FSMModelMixin, transition

from checkout.models.goods import Sku
from checkout.models.orders import Order
from checkout.states import ReservationState
from ledger.audit import StateAudit
from ledger.fields import StateField
from ledger.identifiers import new_key


class ReservationQuerySet(models.QuerySet["Reservation"]):
    def live(self, order: Order) -> "ReservationQuerySet":
        """What the order holds now. The order's lock is the lock of these rows, too."""
        return self.filter(order=order, state=ReservationState.RESERVED)


class Reservation(FSMModelMixin, models.Model):
    """So many of one article, held for an order until `expires_at`. Its order decides when; see `Order.expires_at`."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="reservations")
    sku = models.ForeignKey(Sku, on_delete=models.PROTECT, related_name="+")
    quantity = models.IntegerField()
    state = StateField(
        default=ReservationState.RESERVED,
        choices=[(s.value, s.value) for s in ReservationState],
        protected=True,
    )
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ReservationQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="reservation_quantity_positive", condition=Q(quantity__gt=0)),
            models.CheckConstraint(
                name="reservation_state_known", condition=Q(state__in=sorted(ReservationState))
            ),
            models.UniqueConstraint(
                name="reservation_one_live_per_sku",
                fields=["order", "sku"],
                condition=Q(state=ReservationState.RESERVED.value),
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["sku"], name="reservation_live", condition=Q(state=ReservationState.RESERVED.value)
            ),
        ]
        triggers: ClassVar = [StateAudit("rsv")]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.sku_id} for {self.order_id}"

    @transition(state, source=ReservationState.RESERVED, target=ReservationState.CONFIRMED)
    def confirm(self) -> None:
        """Sold."""

    @transition(state, source=ReservationState.RESERVED, target=ReservationState.RELEASED)
    def release(self) -> None:
        """Free again."""
