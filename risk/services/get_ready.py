"""Be quick from the first payment on."""

import structlog
from django.db import DatabaseError

from risk import scorers, selectors
from risk.errors import ModelNotFound, UnusableModel
from risk.models import Policy
from risk.states import PolicyState

log = structlog.get_logger(__name__)


def get_ready() -> None:
    """This will read the policy that decides, and its model, into this process: the first customer would wait for it.

    Reads only. What is missing or can not be reached is left to the first decision.
    """
    try:
        policy = Policy.objects.filter(state=PolicyState.ACTIVE).only("pk").first()
        document = selectors.policy_document(policy.pk) if policy else None
        if document and document.model:
            scorers.loaded(document.model.name).scorer.prepare()
    except (DatabaseError, ModelNotFound, UnusableModel) as problem:
        log.warning("risk.not_ready", problem=str(problem))
