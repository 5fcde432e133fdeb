from django.db import transaction
from django_fsm import can_proceed

from ledger import audit
from ledger.sentences import Sentence
from risk.errors import PolicyNotSwitchable
from risk.models import Policy
from risk.selectors import parse_policy, policy_named
from risk.states import PolicyState


def shadow_policy(*, policy: str, actor: str, reason: str) -> None:
    """This will have `policy` ("name@version") judge along from now on, without effect.

    Use case; locks the policy. Raises `PolicyNotFound`, `PolicyNotSwitchable`, `InvalidRule`, `InvalidPolicy`.
    """
    found = policy_named(policy)
    with transaction.atomic(durable=True):
        row = Policy.objects.locked().get(pk=found.pk)
        if not can_proceed(row.shadow):
            raise PolicyNotSwitchable(
                Sentence(
                    "%(policy)s is %(state)s and can not judge along.",
                    policy=policy,
                    state=PolicyState(row.state),
                ),
                param="policy",
            )
        parse_policy(row)
        audit.attribute(actor=actor, reason=reason)
        row.shadow()
        row.store()
