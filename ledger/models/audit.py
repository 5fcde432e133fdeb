"""Who did what, and the chain of seals that makes a later change show."""

import hashlib
import hmac
import json
from datetime import UTC

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from ledger.models.triggers import AppendOnly


class AuditEntry(models.Model):
    """One thing that was done. Written only by the SQL function `ledger_record_audit`.

    Personal data stands here by reference only ("user:12", "pay_…"): the entry outlives the person's erasure.
    """

    id = models.BigAutoField(primary_key=True)
    happened_at = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=80)
    action = models.CharField(max_length=80)
    object_id = models.CharField(max_length=80)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.CharField(max_length=500, blank=True)
    request_id = models.CharField(max_length=80, blank=True)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["object_id", "id"], name="ledger_audit_object")]
        triggers = [AppendOnly()]

    def __str__(self) -> str:
        return f"{self.action} {self.object_id}"

    def sealed_text(self) -> str:
        """The text that a seal covers: every column, in one canonical form."""
        columns = [
            self.pk,
            self.happened_at.astimezone(UTC).isoformat(),
            self.actor,
            self.action,
            self.object_id,
            self.before,
            self.after,
            self.reason,
            self.request_id,
        ]
        return json.dumps(columns, sort_keys=True, separators=(",", ":"))


class AuditSeal(models.Model):
    """Link `sequence` of the chain. `hash` covers the entry, the sequence and the previous link's hash."""

    FIRST_PREVIOUS = "0" * 64

    sequence = models.BigIntegerField(primary_key=True)
    entry = models.OneToOneField(AuditEntry, on_delete=models.PROTECT, related_name="seal")
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    sealed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(sequence__gte=1), name="ledger_seal_from_one")]
        triggers = [AppendOnly()]

    def __str__(self) -> str:
        return str(self.sequence)

    @classmethod
    def after(cls, last: "AuditSeal | None", entry: AuditEntry) -> "AuditSeal":
        """The next link, not saved yet."""
        sequence = last.sequence + 1 if last else 1
        previous_hash = last.hash if last else cls.FIRST_PREVIOUS
        digest = cls.digest(sequence, previous_hash, entry)
        return cls(sequence=sequence, entry=entry, previous_hash=previous_hash, hash=digest)

    @staticmethod
    def digest(sequence: int, previous_hash: str, entry: AuditEntry) -> str:
        """HMAC-SHA256 under AUDIT_HMAC_KEY: whoever can write the tables still cannot forge a link."""
        text = f"{sequence}\n{previous_hash}\n{entry.sealed_text()}"
        return hmac.new(settings.AUDIT_HMAC_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()
