"""A person's verdict on a case that holds no money."""

from django.db import transaction

from ledger import audit
from risk.errors import CaseHoldsMoney
from risk.models import RiskCase
from risk.selectors import CaseView, case_key
from risk.services.decide_case import decide_case
from risk.states import CaseKind


def judge_case(*, case: str, approve: bool, actor: str, reason: str, senior: bool = False) -> CaseView:
    """This will close a sampled or second-look case: what was said counts for the next decisions, and moves nothing.

    Use case; locks the case and the customer's ties. Raises `CaseHoldsMoney` and what `decide_case` raises.
    """
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        if RiskCase.objects.filter(pk=case_key(case), kind=CaseKind.HOLD).exists():
            raise CaseHoldsMoney("A payment waits for this case: decide it where the payment moves.")
        return decide_case(case=case, approve=approve, actor=actor, reason=reason, senior=senior)
