"""What was answered to a request that moves something, so that asking twice moves it once."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, models

from ledger.identifiers import new_key
from payments.models.sealed import SealedTextField

# Takes a new key, or one whose holder let its lease run out; nothing that is answered, held or different.
_CLAIM = """
INSERT INTO payments_idempotencykey AS held
    (id, scope, key, holder, fingerprint, lease_until, headers, body, created_at)
VALUES (%(id)s, %(scope)s, %(key)s, %(holder)s, %(fingerprint)s, %(lease_until)s, '{}', '', %(now)s)
ON CONFLICT (scope, key) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
WHERE held.status IS NULL AND held.lease_until <= %(now)s AND held.fingerprint = excluded.fingerprint
RETURNING held.id <> %(id)s
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """A key taken by `holder`. `again` when an earlier holder began and never finished."""

    holder: UUID
    again: bool


class IdempotencyKeyQuerySet(models.QuerySet["IdempotencyKey"]):
    def take(
        self, *, scope: str, key: str, fingerprint: dict[str, str], now: datetime, lease_until: datetime
    ) -> Taken | None:
        """Take the key in one statement, so that of two requests at once exactly one gets it."""
        holder = new_key()
        values: dict[str, Any] = {
            "id": new_key(),
            "scope": scope,
            "key": key,
            "holder": holder,
            "fingerprint": json.dumps(fingerprint),
            "lease_until": lease_until,
            "now": now,
        }
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM, values)
            row = cursor.fetchone()
        return None if row is None else Taken(holder=holder, again=row[0])

    def held_by(self, holder: UUID) -> "IdempotencyKeyQuerySet":
        """The key while `holder` still holds it: one that was taken over finds nothing to write to."""
        return self.filter(holder=holder, status=None)

    def answered(self, holder: UUID, *, status: int, headers: dict[str, Any], body: str) -> int:
        return self.held_by(holder).update(status=status, headers=headers, body=body)

    def given_up(self, holder: UUID, now: datetime) -> int:
        return self.held_by(holder).update(lease_until=now)


class IdempotencyKey(models.Model):
    """In flight while `status` is empty, answered afterwards."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    scope = models.CharField(max_length=80)  # whose key it is: two callers may pick the same words
    key = models.CharField(max_length=255)
    holder = models.UUIDField()  # the request that is at work on it
    fingerprint = models.JSONField()  # field → keyed SHA-256 of its value: enough to say which field differs
    lease_until = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    # Replayed byte for byte, hence text; sealed, for it may hold an address or a guest's order token.
    body = SealedTextField(default="")
    created_at = models.DateTimeField()

    objects = IdempotencyKeyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "key"], name="idempotency_key_unique_in_scope"),
            models.UniqueConstraint(fields=["holder"], name="idempotency_key_holder_unique"),
            models.CheckConstraint(
                condition=models.Q(status=None) | models.Q(status__range=(200, 499)),
                name="idempotency_key_stores_no_server_error",
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_by_age")]

    def __str__(self) -> str:
        return f"{self.scope} {self.key}"
