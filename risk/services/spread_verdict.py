"""What a person found out about one payment, for the decisions on everybody linked with it."""

from datetime import datetime

from django.db import connection

from risk import ties
from risk.models import Decision, Tie


def spread_verdict(*, decision: Decision, fraud: bool, at: datetime) -> None:
    """This will mark the customer's ties as fraud, or vouch for what this payment was made with.

    Operation: needs an open transaction; locks the customer's ties (after payment and case). The next decision reads
    them: nothing lies between.
    """
    assert connection.in_atomic_block, "spread_verdict() belongs to the transaction of the verdict"
    if not decision.customer_key:
        return
    # What was to be kept after the decision may have been lost with the process.
    ties.keep(decision.customer_key, decision.inputs["entities"], decision.happened_at)
    if fraud:
        Tie.objects.mark(decision.customer_key, fraud_at=at)
    else:
        Tie.objects.mark(decision.customer_key, only=decision.inputs["entities"].values(), vouched_at=at)
