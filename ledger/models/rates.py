"""Exchange rates, as somebody told them."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from ledger.identifiers import new_key
from ledger.models.triggers import AppendOnly


class FxRate(models.Model):
    """One unit of `base` is worth `rate` units of `quote`, both major, from `valid_since` until the next rate."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    base = models.CharField(max_length=3)
    quote = models.CharField(max_length=3)
    rate = models.DecimalField(max_digits=20, decimal_places=10)
    source = models.CharField(max_length=80)
    valid_since = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "exchange rate"
        constraints = [
            models.UniqueConstraint(
                fields=["base", "quote", "valid_since", "source"], name="ledger_fxrate_told_once"
            ),
            models.CheckConstraint(condition=Q(rate__gt=0), name="ledger_fxrate_positive"),
            models.CheckConstraint(condition=~Q(base=F("quote")), name="ledger_fxrate_two_currencies"),
        ]
        triggers = [AppendOnly()]

    def __str__(self) -> str:
        return f"{self.base}/{self.quote} {self.rate}"
