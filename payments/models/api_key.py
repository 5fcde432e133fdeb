"""Keys by which other programs call the API. The secret itself is shown once and never stored."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from ledger.identifiers import encode, new_key
from ledger.wire import Statement, exchange

# How often the time of last use is written: often enough to find idle keys, seldom enough to cost nothing.
LAST_USED_RESOLUTION = timedelta(minutes=1)


class Scope(StrEnum):
    """What a key may do. Money is separate from orders, and giving back from taking."""

    ORDERS_READ = "orders:read"  # orders of everybody, with their payments and refunds
    ORDERS_WRITE = "orders:write"
    PAYMENTS_WRITE = "payments:write"
    REFUNDS_WRITE = "refunds:write"
    REFUNDS_APPROVE = "refunds:approve"  # what somebody else asked for
    DISPUTES_READ = "disputes:read"
    DISPUTES_WRITE = "disputes:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"


# Read with every request of a program, so it is prepared.
_WITH_SECRET = Statement(
    "api_key_with_secret",
    """
SELECT id, name, array_to_string(scopes, ' '), coalesce(last_used_at < %(idle_since)s, true)
  FROM payments_apikey WHERE secret_hash = %(secret_hash)s AND revoked_at IS NULL
""",
)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that may be used."""

    id: UUID
    name: str
    scopes: frozenset[str]
    looks_idle: bool  # its last use was noted too long ago

    @property
    def public_id(self) -> str:
        return encode("key", self.id)


def with_secret(secret: str, now: datetime) -> KnownKey | None:
    told = {"secret_hash": ApiKey.hash_of(secret), "idle_since": now - LAST_USED_RESOLUTION}
    (row,) = exchange([_WITH_SECRET(told)])
    if row is None:
        return None
    key, name, scopes, idle = row
    return KnownKey(
        id=UUID(key), name=name or "", scopes=frozenset((scopes or "").split()), looks_idle=idle == "t"
    )


class ApiKey(models.Model):
    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=20)  # the start of the secret, by which a person recognises it
    secret_hash = models.CharField(max_length=64)  # SHA-256 suffices: the secret is 190 random bits
    scopes = ArrayField(models.CharField(max_length=40))
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["secret_hash"], name="api_key_secret_hash_unique"),
            models.CheckConstraint(
                condition=Q(scopes__contained_by=[str(scope) for scope in Scope]), name="api_key_scopes_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @staticmethod
    def hash_of(secret: str) -> str:
        return hashlib.sha256(secret.encode()).hexdigest()

    @property
    def public_id(self) -> str:
        return encode("key", self.id)
