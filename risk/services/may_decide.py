"""Who may take a case at all."""

from risk.errors import CaseIsOwn, CaseNeedsSenior
from risk.models import RiskCase
from risk.states import CaseKind


def may_decide(*, case: RiskCase, actor: str, senior: bool) -> None:
    """This will refuse an actor without the authority, or with a stake in the answer.

    Operation; the caller holds the case's lock. Raises `CaseNeedsSenior`, `CaseIsOwn`.
    """
    if case.senior and not senior:
        raise CaseNeedsSenior("This case was escalated: a risk manager decides it.")
    if case.kind == CaseKind.SECOND and case.decision.cases.filter(closed_by=actor).exists():
        raise CaseIsOwn("You decided this payment the first time; the second look is a colleague's.")
