"""Find out which program is calling."""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from ledger.errors import Refusal
from payments.models.api_key import ApiKey, with_secret


class ApiKeyInvalid(Refusal):
    """No usable key has this secret."""

    code = "api_key_invalid"
    status = 401


@dataclass(frozen=True, slots=True)
class ApiKeyView:
    id: str
    name: str
    scopes: frozenset[str]


def recognise_api_key(*, secret: str) -> ApiKeyView:
    """This will return the key that `secret` belongs to and note, once a minute, that it was used.

    Raises `ApiKeyInvalid` for a secret that is unknown or revoked. One read as a rule; the note is a
    transaction of its own.
    """
    now = timezone.now()
    key = with_secret(secret, now)
    if key is None:
        raise ApiKeyInvalid("This API key is not known here, or was revoked. Check it, or issue a new one.")
    if key.looks_idle:
        with transaction.atomic(durable=True):
            ApiKey.objects.filter(pk=key.id).update(last_used_at=now)
    return ApiKeyView(id=key.public_id, name=key.name, scopes=key.scopes)
