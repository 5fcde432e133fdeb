"""What customers were told."""

from typing import ClassVar

from django.db import models

from checkout.models.orders import Order
from checkout.states import NotificationKind
from ledger.identifiers import new_key


class Notification(models.Model):
    """One message of one kind about one order: asked for once, sent once."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="notifications")
    kind = models.CharField(max_length=40, choices=[(k.value, k.value) for k in NotificationKind])
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(name="notification_once", fields=["order", "kind"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.order_id}"
