"""A policy that does not do what is expected of it does not decide unnoticed."""

from django.db import connection

from ledger import audit
from ledger.sentences import Sentence
from risk.errors import ExpectationsNotMet
from risk.expectations import Checked, unmet
from risk.models import Policy
from risk.selectors import parse_policy
from risk.states import Action, Must

_TOLD = 5


def require_expectations(*, policy: Policy, waived: str) -> str:
    """This will refuse a policy of which something expected is not so, unless `waived` says why it may decide.

    Operation: needs an open transaction with the policy locked. Returns the waiver that was needed, or "". Raises
    `ExpectationsNotMet`.
    """
    assert connection.in_atomic_block, "require_expectations() belongs to the transaction that switches"
    missed = unmet(parse_policy(policy), policy.name)
    if not missed:
        return ""
    if not waived.strip():
        raise ExpectationsNotMet(
            Sentence(
                "%(count)s expectations are not met: %(which)s. Mend the policy, or say why it may decide anyway.",
                count=len(missed),
                which=tuple(_told(one) for one in missed[:_TOLD]),
            ),
            param="waived",
        )
    labels = [one.label for one in missed]
    audit.record(
        action="expectations.waived", object_id=policy.public_id, before=labels, after=waived.strip()
    )
    return waived.strip()[:500]


def _told(one: Checked) -> Sentence:
    match one.must:
        case Must.ACTION:
            about = {"must": Action(one.value), "found": Action(one.action)}
            return Sentence("%(label)s (must be %(must)s, is %(found)s)", label=one.label, **about)
        case Must.HIT:
            return Sentence("%(label)s (%(rule)s must fire)", label=one.label, rule=one.value)
    return Sentence("%(label)s (%(rule)s must not fire)", label=one.label, rule=one.value)
