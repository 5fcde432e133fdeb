"""Remember who could answer a challenge about a payment that a person must decide."""

from collections.abc import Mapping
from typing import Any

from django.db import connection

from risk.models import RiskCase
from risk.selectors import case_key


def note_respondent(*, case: str, respondent: Mapping[str, Any]) -> None:
    """This will keep with a case what `challenges.respondent` said, so that its reviewer can have the customer asked.

    Operation: needs an open transaction, with the payment locked; one statement.
    """
    assert connection.in_atomic_block, "note_respondent() belongs to the transaction of the payment"
    RiskCase.objects.filter(pk=case_key(case)).update(respondent=dict(respondent))
