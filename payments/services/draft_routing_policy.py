from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from ledger.audit import attribute
from payments import policies
from payments.models import RoutingPolicy


def draft_routing_policy(
    *, name: str, rules: Sequence[Mapping[str, Any]], points: Mapping[str, int], actor: str, note: str = ""
) -> str:
    """This will save the next version of the policy `name` as a draft without effect, and return "name@version".

    Every rule is compiled and tried. Opens its own transaction. Raises `InvalidRoutingPolicy`.
    """
    policies.parse(name=name, rules=rules, points=points, channels=settings.CHANNELS)
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=note)
        last = RoutingPolicy.objects.filter(name=name).aggregate(last=Max("version"))["last"] or 0
        policy = RoutingPolicy.objects.create(
            name=name, version=last + 1, rules=rules, points=points, note=note, created_by=actor
        )
    return str(policy)
