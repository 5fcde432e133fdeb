"""A policy that does not do what is expected of it does not decide unnoticed."""

from django.db import connection

from ledger import audit
from risk.errors import ExpectationsNotMet
from risk.expectations import unmet
from risk.models import Policy
from risk.selectors import parse_policy


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
        words = "; ".join(f"{one.label} ({one.must} {one.value}, found {one.found})" for one in missed[:5])
        raise ExpectationsNotMet(
            f"{len(missed)} expectations are not met: {words}. Mend the policy, or say why it may decide anyway.",
            param="waived",
        )
    labels = [one.label for one in missed]
    audit.record(
        action="expectations.waived", object_id=policy.public_id, before=labels, after=waived.strip()
    )
    return waived.strip()[:500]
