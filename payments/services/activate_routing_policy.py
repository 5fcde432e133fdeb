from django.db import transaction
from django.db.models import Q
from django_fsm import can_proceed

from ledger.audit import attribute
from payments import routes
from payments.errors import RoutingPolicyNotFound, RoutingPolicyNotSwitchable, SecondPersonNeeded
from payments.models import RoutingPolicy
from payments.states import RoutingPolicyState


def activate_routing_policy(*, policy: str, actor: str, reason: str) -> str:
    """This will make `policy` ("name@version") route from the next payments on, and return the one that it replaces.

    Opens its own transaction; locks both policies. A retired policy may return the same way. Raises
    `RoutingPolicyNotFound`, `RoutingPolicyNotSwitchable`, `InvalidRoutingPolicy`, and `SecondPersonNeeded` for
    whoever wrote it.
    """
    name, _, version = policy.rpartition("@")
    wanted = Q(name=name, version=int(version) if version.isdecimal() and len(version) < 9 else 0)
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        rows = list(RoutingPolicy.objects.locked().filter(wanted | Q(state=RoutingPolicyState.ACTIVE)))
        chosen = next((row for row in rows if str(row) == policy), None)
        active = next((row for row in rows if row.state == RoutingPolicyState.ACTIVE), None)
        if chosen is None:
            raise RoutingPolicyNotFound(f"There is no routing policy {policy[:60]}.", param="policy")
        if chosen.created_by == actor:
            raise SecondPersonNeeded("You wrote this policy yourself: a second person has to activate it.")
        if not can_proceed(chosen.activate):
            raise RoutingPolicyNotSwitchable(
                f"{policy} is {chosen.state} and can not be activated.", param="policy"
            )
        routes.document_of(chosen)  # a draft may have been written by hand
        if active is not None:
            active.retire()
            active.store()
        chosen.activate(actor)
        chosen.store()
    routes.forget()
    return str(active or "")
