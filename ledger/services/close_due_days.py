"""Close the accounting days that nobody closes."""

from datetime import date

import structlog
from django.db import transaction

from ledger import audit
from ledger.errors import Refusal
from ledger.models import AuditEntry
from ledger.models.days import BY_ITSELF, CLOSE_REFUSED
from ledger.reports.days import first_open_day, last_due_day
from ledger.services.close_day import close_day

log = structlog.get_logger(__name__)


def close_due_days() -> None:
    """This will close every open day that ended `LEDGER_CLOSE_AFTER_DAYS` days ago or longer, by `close_day`.

    A day that is refused stays open, with all after it, until another run: that is put on record, and logged as
    `day.not_closed`, once for each reason. Owns its transactions.
    """
    through = last_due_day()
    if through is None:
        return
    try:
        close_day(day=through, actor=BY_ITSELF)
    except Refusal as refusal:
        day = first_open_day()
        if day is not None:
            _tell(day, refusal)


def _tell(day: date, refusal: Refusal) -> None:
    name, told = day.isoformat(), {"code": refusal.code}
    if AuditEntry.objects.filter(action=CLOSE_REFUSED, object_id=name, after=told).exists():
        return
    with transaction.atomic(durable=True):
        audit.attribute(actor=BY_ITSELF)
        audit.record(action=CLOSE_REFUSED, object_id=name, after=told)
    log.error("day.not_closed", day=name, code=refusal.code, reason=str(refusal))
