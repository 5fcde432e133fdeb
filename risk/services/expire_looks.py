"""Close what was to be looked at, and nobody did."""

from datetime import datetime

from django.db import transaction

from risk.services.expire_cases import expire_cases
from risk.states import CaseKind

_BATCH = 100


def expire_looks(*, now: datetime) -> int:
    """This will close sampled and second-look cases whose time is over; no payment waits for them.

    Use case; safe to repeat. Returns how many it closed.
    """
    with transaction.atomic(durable=True):
        return len(expire_cases(now=now, most=_BATCH, kinds=(CaseKind.SAMPLE, CaseKind.SECOND)))
