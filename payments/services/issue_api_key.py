"""Give a program a key to the API."""

import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from ledger import audit
from ledger.errors import Refusal
from payments.models.api_key import ApiKey, Scope

_ALPHABET = string.ascii_letters + string.digits
_SECRET_LENGTH = 32


class UnknownScope(Refusal):
    """A scope that does not exist was asked for."""

    code = "unknown_scope"
    status = 422


@dataclass(frozen=True, slots=True)
class IssuedApiKey:
    """`secret` exists here and nowhere else."""

    id: str
    name: str
    secret: str
    scopes: tuple[str, ...]


def issue_api_key(*, name: str, scopes: Iterable[str], actor: str, live: bool = False) -> IssuedApiKey:
    """This will create an API key and return its secret, the only time that it can be seen.

    Raises `UnknownScope`. Own transaction, with an audit entry.
    """
    wanted = tuple(sorted(set(scopes)))
    unknown = sorted(set(wanted) - {str(scope) for scope in Scope})
    if unknown or not wanted:
        raise UnknownScope(f"Choose scopes from {', '.join(Scope)}.", param="scopes", unknown=unknown)
    secret = f"sk_{'live' if live else 'test'}_" + "".join(
        secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH)
    )
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason="API key issued")
        key = ApiKey.objects.create(
            name=name, prefix=secret[:12], secret_hash=ApiKey.hash_of(secret), scopes=list(wanted)
        )
        audit.record(
            action="api_key.issued", object_id=key.public_id, after={"name": name, "scopes": list(wanted)}
        )
    return IssuedApiKey(id=key.public_id, name=name, secret=secret, scopes=wanted)
