"""What people wrote down about a case."""

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ledger import identifiers
from risk.models.cases import RiskCase


class CaseNote(models.Model):
    """A remark for whoever opens the case next; never changed, never taken back."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    case = models.ForeignKey(RiskCase, on_delete=models.PROTECT, related_name="notes", db_index=False)
    author = models.CharField(max_length=80)
    text = models.CharField(max_length=1000)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["case", "id"], name="risk_case_note_case")]
        constraints = [models.CheckConstraint(condition=~Q(text=""), name="risk_case_note_says_something")]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.author}: {self.text[:40]}"
