"""What waits for a person, in the queues that this person may open."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

import ledger.open_work
import payments.open_work
import reconciliation.open_work
import risk.open_work
from ledger.facts import OpenWork

SEE_STUCK = "reconciliation.see_stuck"


@dataclass(frozen=True, slots=True)
class Queue:
    """`page` is named by its address; the same right opens it and shows it here."""

    title: Any
    page: str
    right: str
    read: Callable[[datetime], OpenWork]


QUEUES = (
    Queue(_("Review queue"), "review-queue", "risk.view_riskcase", risk.open_work.cases),
    Queue(
        _("List entries to confirm"),
        "risk-list-changes",
        "risk.confirm_listchange",
        lambda now: risk.open_work.list_changes(),
    ),
    Queue(
        _("Refunds to approve"), "refund-queue", "payments.view_refund", payments.open_work.refunds_to_approve
    ),
    Queue(_("Disputes"), "dispute-queue", "payments.view_dispute", payments.open_work.disputes_to_answer),
    Queue(
        _("Discrepancies"),
        "discrepancy-queue",
        "reconciliation.view_discrepancy",
        reconciliation.open_work.discrepancies,
    ),
    Queue(
        _("Repairs to approve"),
        "repairs-waiting",
        "reconciliation.approve_repair",
        lambda now: reconciliation.open_work.repairs(),
    ),
    Queue(
        _("Days that did not close"),
        "books-days",
        "ledger.view_transaction",
        lambda now: ledger.open_work.days(),
    ),
    Queue(_("Warnings of risk"), "risk-figures", "risk.view_decision", lambda now: risk.open_work.alerts()),
)


def work(request: HttpRequest, now: datetime) -> dict[str, Any]:
    """One statement for each queue, and one for each kind of stuck money."""
    queues = [(one, one.read(now)) for one in QUEUES if request.user.has_perm(one.right)]
    waiting = [(one.title, reverse(one.page), told) for one, told in queues if told.count]
    stuck = reconciliation.open_work.stuck() if request.user.has_perm(SEE_STUCK) else None
    return {
        "waiting": waiting,
        "stuck": stuck if stuck and stuck.work.count else None,
        "empty": [(one.title, reverse(one.page)) for one, told in queues if not told.count],
        "nothing_stuck": stuck is not None and not stuck.work.count,
    }
