from collections.abc import Sequence
from dataclasses import dataclass

from ledger.errors import Refusal
from payments.services.resolve_review import resolve_review


@dataclass(frozen=True, slots=True)
class Resolved:
    """What became of one case: the payment's state, or why it stayed as it was."""

    case: str
    state: str = ""
    refusal: Refusal | None = None


def resolve_ring(
    *, cases: Sequence[str], approve: bool, actor: str, reason: str, senior: bool = False
) -> list[Resolved]:
    """This will decide several cases alike, each as `resolve_review` does, and say what became of each.

    Opens the transactions of each case one after the other: what is refused (decided before, a colleague's, escalated)
    stays as it was and holds up nothing. Safe to repeat: a case moves its money once. Raises nothing.
    """
    answers = []
    for case in dict.fromkeys(cases):
        try:
            payment = resolve_review(case=case, approve=approve, actor=actor, reason=reason, senior=senior)
            answers.append(Resolved(case, state=payment.state))
        except Refusal as refusal:
            answers.append(Resolved(case, refusal=refusal))
    return answers
