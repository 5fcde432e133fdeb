"""Tables of payments, one file per thing; `locked()` querysets are the only place that locks."""

from payments.models.api_key import ApiKey
from payments.models.idempotency import IdempotencyKey

__all__ = ["ApiKey", "IdempotencyKey"]
