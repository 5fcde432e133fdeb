"""Who did what, and the chain of seals that makes a later change show."""

import json
from datetime import UTC
from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from ledger import sealing
from ledger.models.triggers import AppendOnly

# What a seal covers. 1: without the network, under a key that it does not name. 2: every column, key named.
_FORM = 2


class AuditEntry(models.Model):
    """One thing that was done. Written only by the SQL function `ledger_record_audit`.

    Personal data stands here by reference only ("user:12", "pay_…", the network that a request came from): the
    entry outlives the person's erasure.
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
    network = models.CharField(max_length=43, blank=True, default="", db_default="")

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["object_id", "id"], name="ledger_audit_object"),
            models.Index(fields=["actor", "id"], name="ledger_audit_actor"),
        ]
        triggers = [AppendOnly()]

    def __str__(self) -> str:
        return f"{self.action} {self.object_id}"

    def sealed_text(self, form: int) -> str:
        """The text that a seal of this form covers, in one canonical way of writing it."""
        columns: list[Any] = [
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
        # Those that were sealed in the first form had none: one put there since must show.
        if form > 1 or self.network:
            columns.append(self.network)
        return json.dumps(columns, sort_keys=True, separators=(",", ":"))


class AuditSeal(models.Model):
    """Link `sequence` of the chain. `hash` covers the entry, the sequence and the previous link's hash.

    It is an HMAC-SHA256: whoever can write the tables still cannot forge a link without `key`, which is the key's
    name (see `ledger.sealing`), empty in the first form.
    """

    FIRST_PREVIOUS = "0" * 64

    sequence = models.BigIntegerField(primary_key=True)
    entry = models.OneToOneField(AuditEntry, on_delete=models.PROTECT, related_name="seal")
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    form = models.SmallIntegerField(default=_FORM, db_default=1)
    key = models.CharField(max_length=8, blank=True, default="", db_default="")
    sealed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(sequence__gte=1), name="ledger_seal_from_one")]
        triggers = [AppendOnly()]

    def __str__(self) -> str:
        return str(self.sequence)

    @classmethod
    def after(cls, last: "AuditSeal | None", entry: AuditEntry) -> "AuditSeal":
        """The next link, under the current key, not saved yet."""
        seal = cls(
            sequence=last.sequence + 1 if last else 1,
            entry=entry,
            previous_hash=last.hash if last else cls.FIRST_PREVIOUS,
            key=sealing.current(),
        )
        seal.hash = sealing.sign(seal._text(), sealing.known()[seal.key])
        return seal

    def fault(self, last: "AuditSeal | None") -> str:
        """Why it is no link after `last`, empty when it is one."""
        if self.form > 1 and self.key not in sealing.known():
            return (
                f"is signed under key {self.key}, which is not among AUDIT_HMAC_KEY and AUDIT_HMAC_OLD_KEYS"
            )
        keys = [sealing.known()[self.key]] if self.form > 1 else list(sealing.known().values())
        follows = self.previous_hash == (last.hash if last else self.FIRST_PREVIOUS)
        if follows and any(sealing.is_signed(self._text(), self.hash, key) for key in keys):
            return ""
        return f"does not match: {self.entry} was changed, or the seal was"

    def _text(self) -> str:
        head = f"{self.sequence}\n{self.previous_hash}\n"
        if self.form > 1:
            head = f"{self.form}\n{self.key}\n{head}"
        return head + self.entry.sealed_text(self.form)
