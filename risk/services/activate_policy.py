"""Let another policy decide."""

from django.db import transaction
from django.db.models import Q
from django_fsm import can_proceed

from ledger import audit
from risk.errors import PolicyNotFound, PolicyNotSwitchable
from risk.models import Policy
from risk.selectors import parse_policy
from risk.states import PolicyState


def activate_policy(*, policy: str, actor: str, reason: str) -> str:
    """This will make `policy` ("name@version") decide from the next question on, and return the one that it replaces.

    Use case; locks both policies. A retired policy may return the same way. Activating the active one changes
    nothing. Raises `PolicyNotFound`, `PolicyNotSwitchable`, `InvalidRule`, `InvalidPolicy`.
    """
    name, _, version = policy.rpartition("@")
    wanted = Q(name=name, version=int(version) if version.isdecimal() and len(version) < 9 else 0)
    with transaction.atomic(durable=True):
        rows = list(Policy.objects.locked().filter(wanted | Q(state=PolicyState.ACTIVE)))
        chosen = next((row for row in rows if str(row) == policy), None)
        active = next((row for row in rows if row.state == PolicyState.ACTIVE), None)
        if chosen is None:
            raise PolicyNotFound(f"There is no policy {policy[:60]}.", param="policy")
        if chosen is active:
            return policy
        if not can_proceed(chosen.activate):
            raise PolicyNotSwitchable(f"{policy} is {chosen.state} and can not be activated.", param="policy")
        parse_policy(chosen)  # a draft may have been written by hand
        audit.attribute(actor=actor, reason=reason)
        if active is not None:
            active.retire()
            active.save(update_fields=["state"])
        chosen.activate()
        chosen.save(update_fields=["state"])
    return str(active or "")
