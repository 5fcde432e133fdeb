"""Who was seen with what: the graph of customers, cards, devices, addresses and networks."""

from collections.abc import Collection
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from ledger import identifiers
from risk.states import EntityKind

_MOST = 500  # of one customer's ties that a verdict marks


class TieQuerySet(models.QuerySet["Tie"]):
    def locked(self) -> Self:
        """In the order in which decisions write them."""
        return self.order_by("customer_key", "entity_key").select_for_update(of=("self",))

    def mark(self, customer_key: str, *, only: Collection[str] | None = None, **marks: datetime) -> int:
        """Note on a customer's ties (`only` those with these entities) what became of a payment. One statement."""
        ties = self.filter(customer_key=customer_key)
        if only is not None:
            ties = ties.filter(entity_key__in=list(only))
        return self.filter(pk__in=ties.locked().values("pk")[:_MOST]).update(**marks)

    def verify(self, tie: "Tie") -> None:
        """Note that a customer proved to sit at a device, whether or not it was seen before. One statement."""
        self.bulk_create(
            [tie],
            update_conflicts=True,
            unique_fields=["customer_key", "entity_key"],
            update_fields=["verified_at", "verified_as"],
        )


class Tie(models.Model):
    """A customer was seen with an entity. Both are known by their keys only.

    What was found out about the customer stands here too, so that a decision learns of it from the rows it reads.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    customer_key = models.CharField(max_length=32)
    entity = models.CharField(max_length=10, choices=[(k, k) for k in EntityKind])
    entity_key = models.CharField(max_length=32)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(help_text="Moved on at most once an hour.")
    refused_at = models.DateTimeField(null=True, help_text="A payment of the customer was refused.")
    fraud_at = models.DateTimeField(null=True, help_text="A payment of the customer was found to be fraud.")
    vouched_at = models.DateTimeField(null=True, help_text="A person approved a payment with this entity.")
    coupon_at = models.DateTimeField(null=True, help_text="The customer, new here, paid with a coupon.")
    verified_at = models.DateTimeField(null=True, help_text="Of a device: the customer proved to sit there.")
    verified_as = models.CharField(
        max_length=32, blank=True, db_default="", help_text="The fingerprint's key that it had then."
    )

    objects = TieQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["entity_key", "-last_at"], name="risk_tie_entity"),
            models.Index(fields=["customer_key", "-last_at"], name="risk_tie_customer"),
            models.Index(
                fields=["entity_key", "coupon_at"],
                condition=Q(coupon_at__isnull=False),
                name="risk_tie_coupon",
            ),
            models.Index(
                fields=["verified_at"], condition=Q(verified_at__isnull=False), name="risk_tie_verified"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["customer_key", "entity_key"], name="risk_tie_once"),
            models.CheckConstraint(
                condition=Q(entity__in=[str(k) for k in EntityKind]), name="risk_tie_entity_kind"
            ),
            models.CheckConstraint(condition=Q(first_at__lte=models.F("last_at")), name="risk_tie_times"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_key[:8]} {self.entity} {self.entity_key[:8]}"
