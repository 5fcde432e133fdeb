"""What waits in risk's queues."""

from datetime import datetime

from django.db.models import Q

from ledger.facts import OpenWork
from ledger.queues import open_work
from risk.models import Alert, ListChange, RiskCase


def cases(now: datetime) -> OpenWork:
    return open_work(RiskCase.objects.live(), since="opened_at", late=Q(decide_by__lte=now))


def list_changes() -> OpenWork:
    """No time is set for them."""
    return open_work(ListChange.objects.waiting(), since="proposed_at")


def alerts() -> OpenWork:
    """Warnings that last; no time is set for them."""
    return open_work(Alert.objects.open(), since="raised_at")
