from django.db import transaction

from ledger import audit
from ledger.sentences import Sentence
from risk.errors import InvalidPolicy
from risk.models import BackTest
from risk.selectors import parse_policy, policy_named

_MOST_DAYS = 730


def ask_back_test(*, policy: str, days: int, actor: str) -> str:
    """This will note that `policy` ("name@version") is to judge the decisions of so many days, and return the id.

    Use case; `run_back_test` does it. Raises `PolicyNotFound`, `InvalidPolicy`, `InvalidRule`.
    """
    if not 1 <= days <= _MOST_DAYS:
        raise InvalidPolicy(Sentence("Between 1 and %(most)s days.", most=_MOST_DAYS), param="days")
    found = policy_named(policy)
    parse_policy(found)
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=f"back-test of {policy}")
        made = BackTest.objects.create(policy=found, days=days, asked_by=actor)
    return made.public_id
