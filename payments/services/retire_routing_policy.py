from django.db import transaction

from ledger.audit import attribute
from payments import routes
from payments.errors import RoutingPolicyNotSwitchable
from payments.models import RoutingPolicy
from payments.states import RoutingPolicyState


def retire_routing_policy(*, actor: str, reason: str) -> str:
    """This will end the active policy, so that the settings' order of preference routes, and return its name.

    Opens its own transaction; locks the policy. Raises `RoutingPolicyNotSwitchable` when none is active.
    """
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        active = RoutingPolicy.objects.locked().filter(state=RoutingPolicyState.ACTIVE).first()
        if active is None:
            raise RoutingPolicyNotSwitchable("No policy is active: the settings' order of preference routes.")
        active.retire()
        active.store()
    routes.forget()
    return str(active)
