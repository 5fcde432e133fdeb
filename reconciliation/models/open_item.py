"""What one side has and the other has not, or not yet."""

from collections.abc import Iterable
from datetime import datetime
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from ledger import identifiers
from reconciliation.models.statement import StatementFile
from reconciliation.states import Side

_OPEN = Q(cleared_at=None)


class OpenItemQuerySet(models.QuerySet["OpenItem"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))

    def open(self) -> Self:
        return self.filter(_OPEN)

    def clear(self, keys: Iterable[UUID], *, how: str, at: datetime) -> int:
        """By people or on their behalf: no file explains them."""
        return self.open().filter(pk__in=keys).update(cleared_at=at, how=how)

    def open_again(self, keys: Iterable[UUID], *, how: str) -> int:
        """Those that were cleared so."""
        return self.filter(pk__in=keys, how=how).update(cleared_at=None, how="")


class OpenItem(models.Model):
    """Carried from day to day until a file explains it (`cleared_…`, `how`), or too long (`due_on`): then it becomes a
    discrepancy and stays open beside it.

    Of ours, `movement` and `part` name it as `payments_movement` does, and `file` is the statement that should have had
    it. Of theirs, they are what the line names, if anything. A movement of ours whose day has a live statement, and
    that has no open item, is matched.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    side = models.CharField(max_length=10, choices=[(s.value, s.value) for s in Side])
    channel = models.CharField(max_length=20)
    statement = models.CharField(max_length=30)  # the kind of file
    kind = models.CharField(max_length=20)
    reference = models.CharField(max_length=100, blank=True)
    parent = models.CharField(max_length=100, blank=True)
    movement = models.UUIDField(null=True)
    part = models.SmallIntegerField(default=1, db_default=1)
    their_reference = models.CharField(max_length=100, blank=True)
    grp = models.CharField(max_length=100, blank=True)
    amount = models.BigIntegerField()
    fee = models.BigIntegerField(default=0, db_default=0)
    currency = models.CharField(max_length=3)
    happened_at = models.DateTimeField()
    line_state = models.CharField(max_length=20, blank=True)
    text = models.CharField(max_length=200, blank=True)
    file = models.ForeignKey(StatementFile, on_delete=models.PROTECT, related_name="open_items")
    line = models.IntegerField(default=0, db_default=0)
    day_on = models.DateField()
    due_on = models.DateField()
    created_at = models.DateTimeField(db_default=Now())
    cleared_file = models.ForeignKey(
        StatementFile, on_delete=models.PROTECT, null=True, related_name="cleared_items"
    )
    cleared_at = models.DateTimeField(null=True)
    how = models.CharField(max_length=20, blank=True)

    objects = OpenItemQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["channel", "statement", "day_on"], name="reconciliation_item_day"),
            models.Index(
                fields=["channel", "statement", "side", "due_on"], condition=_OPEN, name="reconciliation_open"
            ),
            models.Index(
                fields=["movement"], condition=Q(movement__isnull=False), name="reconciliation_item_movement"
            ),
            models.Index(fields=["cleared_at"], condition=Q(how="booked"), name="reconciliation_item_booked"),
            models.Index(
                fields=["channel", "their_reference"],
                condition=_OPEN & ~Q(their_reference=""),
                name="reconciliation_item_theirs",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "statement", "kind", "movement", "part"],
                condition=Q(side=Side.OURS.value),
                name="reconciliation_our_item_once",
            ),
            models.UniqueConstraint(
                fields=["file", "line"],
                condition=Q(side=Side.THEIRS.value),
                name="reconciliation_their_item_once",
            ),
            models.CheckConstraint(
                condition=Q(side__in=[s.value for s in Side]), name="reconciliation_item_side"
            ),
            models.CheckConstraint(
                condition=~Q(side=Side.OURS.value) | Q(movement__isnull=False),
                name="reconciliation_our_item_named",
            ),
            models.CheckConstraint(
                condition=Q(cleared_at=None, how="") | (Q(cleared_at__isnull=False) & ~Q(how="")),
                name="reconciliation_cleared_somehow",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.kind} {self.reference or self.their_reference}"

    @property
    def public_id(self) -> str:
        return identifiers.encode("opn", self.id)
