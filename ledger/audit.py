"""Who did what: appended in the open transaction, sealed into a hash chain afterwards (`tasks.seal_audit`).

`attribute` says who is acting for the rest of the transaction; `record` appends an entry; `StateAudit` in a
model's `Meta.triggers` appends one for every change of its `state`, however it is made.
"""

import ipaddress
import json
import re
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import pgtrigger
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models

# Set by the middleware for a request and by the worker for a task.
current_request_id: ContextVar[str] = ContextVar("current_request_id", default="")
# Where the request came from, as `network_of` tells it; set by the middleware.
current_network: ContextVar[str] = ContextVar("current_network", default="")

_ACTOR = re.compile(r"[A-Za-z0-9_.:-]{1,80}")


class ActorIsNotAReference(ValueError):
    """The actor is not a plain reference ("system", "user:12", "key_…"). Names and addresses stay out."""


@lru_cache(maxsize=4096)  # programs come from a few addresses, again and again
def network_of(address: str) -> str:
    """The network of an address, which names a place and no person: /24 of IPv4, /48 of IPv6; "" of neither.

    Not a hash of the address: that could be found again by trying all of them, and tells a reader nothing.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    return str(ipaddress.ip_network((found.packed, 24 if found.version == 4 else 48), strict=False))


def attribute(*, actor: str, reason: str = "", request_id: str = "") -> None:
    """Say who acts, and why, until the open transaction ends; with it, in which request and from where. One statement.

    Raises `ActorIsNotAReference`. Without it the actor is "system".
    """
    assert connection.in_atomic_block, "attribute() lasts for a transaction: open one first"
    if not _ACTOR.fullmatch(actor):
        raise ActorIsNotAReference("name the actor by a reference such as user:12")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('audit.actor', %s, true), set_config('audit.reason', %s, true),"
            " set_config('audit.request_id', %s, true), set_config('audit.network', %s, true)",
            [actor, reason[:500], (request_id or current_request_id.get())[:80], current_network.get()],
        )


def record(*, action: str, object_id: str, before: Any = None, after: Any = None, reason: str = "") -> None:
    """Append an entry for what `attribute` said. `before` and `after` are small JSON without personal data.

    An empty `reason` takes the one of `attribute`.
    """
    assert connection.in_atomic_block, "record() belongs to the transaction of what it records"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_record_audit(%s, %s, %s::jsonb, %s::jsonb, %s)",
            [action, object_id, _json(before), _json(after), reason[:500]],
        )


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, cls=DjangoJSONEncoder)


class StateAudit(pgtrigger.Trigger):
    """Appends an audit entry when `state` is first written or changes: `triggers = [StateAudit("pay")]`."""

    name = "state_audit"
    level = pgtrigger.Row
    when = pgtrigger.After
    operation = pgtrigger.Insert | pgtrigger.UpdateOf("state")  # type: ignore[no-untyped-call]

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        super().__init__()

    def get_func(self, model: models.Model) -> str:
        key = model._meta.pk.column
        return f"""
            IF TG_OP = 'INSERT' THEN
                PERFORM ledger_record_audit(
                    '{model._meta.model_name}.state', ledger_public_id('{self.prefix}', NEW.{key}),
                    NULL, to_jsonb(NEW.state), '');
            ELSIF NEW.state IS DISTINCT FROM OLD.state THEN
                PERFORM ledger_record_audit(
                    '{model._meta.model_name}.state', ledger_public_id('{self.prefix}', NEW.{key}),
                    to_jsonb(OLD.state), to_jsonb(NEW.state), '');
            END IF;
            RETURN NULL;
        """
