"""How to read the files of a bank account."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from ledger import identifiers

FORMATS = ["camt.053", "mt940", "csv"]


class BankMapping(models.Model):
    """One account of ours, called `name` in short, and where the columns of its bank's CSV are.

    `columns` are the names in the header by what we need of them, as `reconciliation.parsers.Mapping` has them.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    name = models.CharField(max_length=14)
    account = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    format = models.CharField(max_length=10, choices=[(one, one) for one in FORMATS])
    columns = models.JSONField(default=dict, blank=True)
    delimiter = models.CharField(max_length=1, default=",")
    encoding = models.CharField(max_length=20, default="utf-8")
    date_format = models.CharField(max_length=30, default="%Y-%m-%d")
    decimal_comma = models.BooleanField(default=False)
    skip_lines = models.PositiveSmallIntegerField(default=0)
    time_zone = models.CharField(max_length=40, default="UTC")
    saved_by = models.CharField(max_length=80)
    saved_at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ("view",)
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["name"], name="reconciliation_mapping_name"),
            models.CheckConstraint(condition=Q(format__in=FORMATS), name="reconciliation_mapping_format"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def channel(self) -> str:
        """By which its statements go."""
        return f"bank:{self.name}"
