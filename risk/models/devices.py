"""Devices that were seen, and those that may not pay."""

from typing import Self

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ledger import identifiers


class DeviceQuerySet(models.QuerySet["Device"]):
    def by_public_id(self, public_id: str) -> Self:
        return self.filter(pk=identifiers.decode("dev", public_id))


class Device(models.Model):
    """A browser that kept our cookie. Its cookie's value and its fingerprint are kept as keyed hashes only."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    device_key = models.CharField(max_length=32, unique=True)
    fingerprint_key = models.CharField(max_length=32, blank=True, help_text="What its browser told last.")
    label = models.CharField(max_length=80, blank=True)
    country = models.CharField(max_length=2, blank=True, help_text="Where it was last.")
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(help_text="Moved on at most once an hour.")
    changed_at = models.DateTimeField(null=True, help_text="When its fingerprint became another one.")

    objects = DeviceQuerySet.as_manager()

    class Meta:
        permissions = [("freeze_device", "Can freeze and unfreeze devices")]
        indexes = [
            models.Index(
                fields=["fingerprint_key", "-last_at"],
                condition=~Q(fingerprint_key=""),
                name="risk_device_fingerprint",
            ),
            models.Index(fields=["-last_at"], name="risk_device_last"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(first_at__lte=models.F("last_at")), name="risk_device_times"),
            models.CheckConstraint(condition=~Q(device_key=""), name="risk_device_has_key"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return identifiers.encode("dev", self.id)


class FreezeQuerySet(models.QuerySet["Freeze"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))

    def standing(self) -> Self:
        return self.filter(ended_at=None)


class Freeze(models.Model):
    """A device may not pay: for nobody (an operator says so), or for one customer (who says so)."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    device_key = models.CharField(max_length=32)
    customer_key = models.CharField(max_length=32, blank=True, help_text="Empty: for everybody.")
    reason = models.CharField(max_length=300)
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=80, blank=True)
    end_reason = models.CharField(max_length=300, blank=True)

    objects = FreezeQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["device_key", "-created_at"], name="risk_freeze_device")]
        constraints = [
            models.UniqueConstraint(
                fields=["device_key", "customer_key"], condition=Q(ended_at=None), name="risk_freeze_once"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="risk_freeze_reason"),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_by="") | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
                name="risk_freeze_ended_by",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="freeze_is_kept", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(
                name="freeze_stays",
                fields=["device_key", "customer_key", "reason", "created_by", "created_at"],
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return identifiers.encode("frz", self.id)
