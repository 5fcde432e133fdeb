"""What waits in the queues of refunds and disputes."""

from datetime import datetime

from django.db.models import Q

from ledger.facts import OpenWork
from ledger.queues import open_work
from payments.disputes import unanswered
from payments.models import Refund
from payments.stuck.disputed import DUE_WITHIN
from payments.stuck.refunds import APPROVED_WITHIN


def refunds_to_approve(now: datetime) -> OpenWork:
    late = Q(created_at__lte=now - APPROVED_WITHIN)
    return open_work(Refund.objects.awaiting_approval(), since="created_at", late=late)


def disputes_to_answer(now: datetime) -> OpenWork:
    """Late are those whose time is over, or nearly."""
    return open_work(unanswered(), since="created_at", late=Q(due_by__lte=now + DUE_WITHIN))
