"""What is known of single entities: lists that decide, and what customers have spent of their limits."""

import hashlib
from datetime import datetime
from functools import cache
from typing import Any, Self

import pgtrigger
from django.conf import settings
from django.db import connection, models
from django.db.models import F, Q
from django.utils import timezone

from ledger import identifiers
from ledger.wire import Call, Statement
from risk.features import entity_key
from risk.states import BY_TWO, EntityKind, ListKind


def entity_secret() -> bytes:
    """The key under which entities are hashed; another key makes lists and counts start anew."""
    return str(settings.RISK_ENTITY_KEY).encode()


def key_of(kind: str, value: str) -> str:
    """What the tables know an entity by."""
    return entity_key(kind, value, secret=entity_secret())


class ListImportQuerySet(models.QuerySet["ListImport"]):
    def one_at_a_time(self) -> None:
        """Until the transaction ends nobody else adds entries: what was counted stays true."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_named("risk.list_import")])


class ListImport(models.Model):
    """A file of entries that was taken whole. `digest` is of its bytes: the same file is taken once."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    digest = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=200, blank=True)
    added = models.PositiveIntegerField()
    renewed = models.PositiveIntegerField()
    unchanged = models.PositiveIntegerField()
    imported_by = models.CharField(max_length=80)
    imported_at = models.DateTimeField(default=timezone.now)

    objects = ListImportQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return identifiers.encode("lim", self.id)


class ListEntryQuerySet(models.QuerySet["ListEntry"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))

    def in_force(self, at: datetime) -> Self:
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=at), ended_at=None)


class ListEntry(models.Model):
    """An entity on a list. Its value is kept as a keyed hash; `label` is what an operator may read."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    kind = models.CharField(max_length=8, choices=[(k, k) for k in ListKind])
    entity = models.CharField(max_length=10, choices=[(k, k) for k in EntityKind])
    entity_key = models.CharField(max_length=32)
    label = models.CharField(
        max_length=80, blank=True, help_text="Masked or pseudonymous, never personal data."
    )
    reason = models.CharField(max_length=300)
    source = models.CharField(
        max_length=80, help_text='Who says so: "operator", "chargeback", "import:2026-05".'
    )
    created_by = models.CharField(max_length=80)
    confirmed_by = models.CharField(
        max_length=80, blank=True, db_default="", help_text="The second person, where it takes two."
    )
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    brought_by = models.ForeignKey(
        ListImport, null=True, blank=True, on_delete=models.PROTECT, related_name="entries", db_index=False
    )

    objects = ListEntryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "list entries"
        constraints = [
            models.UniqueConstraint(
                fields=["entity_key", "kind"], condition=Q(ended_at=None), name="risk_list_entry_once"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[str(k) for k in ListKind]), name="risk_list_entry_kind"
            ),
            models.CheckConstraint(
                condition=Q(entity__in=[str(k) for k in EntityKind]), name="risk_list_entry_entity"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="risk_list_entry_reason"),
            models.CheckConstraint(
                condition=~Q(kind__in=[str(k) for k in BY_TWO])
                | (~Q(confirmed_by="") & ~Q(confirmed_by=F("created_by"))),
                name="risk_list_entry_by_two",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.entity} {self.label or self.entity_key[:8]}"

    @property
    def public_id(self) -> str:
        return identifiers.encode("lst", self.id)

    def end(self, *, at: datetime) -> None:
        self.ended_at = at
        self.save(update_fields=["ended_at"])


def limit_lock(customer_key: str) -> int:
    """The advisory lock under which a customer's limits are counted and used: there may be no row to lock yet.

    Taken after the payment's row and before stock and ledger.
    """
    return _named(f"risk.limit:{customer_key}")


def _named(lock: str) -> int:
    return int.from_bytes(hashlib.sha256(lock.encode()).digest()[:8], "big", signed=True)


class LimitUse(models.Model):
    """What a payment took of a customer's limits, in CNY minor units; given back when no money moved.

    `new_merchant` says that the customer had not paid the merchant on an earlier day.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    subject = models.CharField(max_length=128, unique=True)
    customer_key = models.CharField(max_length=32)
    used_on = models.DateField()
    amount = models.BigIntegerField()
    released_at = models.DateTimeField(null=True)
    channel = models.CharField(max_length=128, blank=True, db_default="")
    method = models.CharField(max_length=128, blank=True, db_default="")
    merchant_key = models.CharField(max_length=32, blank=True, db_default="")
    new_merchant = models.BooleanField(db_default=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["customer_key", "used_on"],
                include=["amount", "subject"],
                condition=Q(released_at=None),
                name="risk_limit_use_day",
            ),
            models.Index(
                fields=["customer_key", "merchant_key", "used_on"],
                condition=Q(released_at=None) & ~Q(merchant_key=""),
                name="risk_limit_use_merchant",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.amount}"

    @classmethod
    def taken(cls, **values: Any) -> Call:
        """The statement that counts these once per subject, whatever was counted for it before."""
        return _take()({"id": identifiers.new_digits(), "released_at": None, **values})


@cache
def _take() -> Statement:
    columns = [field.attname for field in LimitUse._meta.concrete_fields]
    places = ", ".join(f"%({column})s" for column in columns)
    changed = ", ".join(
        f"{column} = EXCLUDED.{column}" for column in columns if column not in ("id", "subject")
    )
    return Statement(
        "risk_take_limit",
        f"INSERT INTO risk_limituse ({', '.join(columns)}) VALUES ({places})"  # noqa: S608
        f" ON CONFLICT (subject) DO UPDATE SET {changed}",
    )
