"""Close an API key for good."""

from django.db import transaction
from django.utils import timezone

from ledger import audit, identifiers
from ledger.errors import Refusal
from payments.models.api_key import ApiKey


class ApiKeyNotFound(Refusal):
    """No usable key has this identifier."""

    code = "api_key_not_found"
    status = 404


def revoke_api_key(*, key: str, actor: str, reason: str) -> None:
    """This will refuse every further request with `key` (key_…).

    Raises `ApiKeyNotFound`, also when it was revoked before. Own transaction, with an audit entry.
    """
    try:
        pk = identifiers.decode("key", key)
    except identifiers.MalformedIdentifier as malformed:
        raise ApiKeyNotFound(
            "There is no such API key. Look for it by its prefix.", param="key"
        ) from malformed
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        revoked = ApiKey.objects.filter(pk=pk, revoked_at=None).update(revoked_at=timezone.now())
        if not revoked:
            raise ApiKeyNotFound(
                "There is no such API key in use. It may have been revoked before.", param="key"
            )
        audit.record(action="api_key.revoked", object_id=key, reason=reason)
