"""Look at what is open once more, by the clock."""

from datetime import datetime, timedelta

from django.db import transaction

from ledger import audit
from reconciliation.models import Discrepancy, StatementFile
from reconciliation.services.explain_discrepancies import explain_discrepancies
from reconciliation.staging.discrepancies import raise_due
from reconciliation.staging.revisiting import clear_what_is_booked, open_what_was_booked_late
from reconciliation.terms import terms_of

# After the last day on which something may come, its statement is given as long to arrive.
_GRACE = timedelta(days=2)
# What we learn later than this of a statement's day is looked for by people.
_BACK = timedelta(days=10)


def revisit_open_items(*, channel: str, now: datetime, actor: str = "system") -> int:
    """This will clear what our books have by now, and make discrepancies of what is missing for longer than it may be.

    Owns its transaction. Again changes nothing. Returns how many discrepancies it opened.
    """
    terms = terms_of(channel)
    due = terms.day_of(now) - _GRACE
    opened = 0
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason="open items are looked at again")
        clear_what_is_booked(channel)
        live = StatementFile.objects.live().filter(channel=channel, kind__in=terms.matched)
        for file in live.filter(day_on__gte=terms.day_of(now) - _BACK).order_by("day_on"):
            open_what_was_booked_late(file, terms)
        for statement in terms.matched:
            opened += raise_due(channel=channel, statement=statement, due=due)
        booked = Discrepancy.objects.filter(
            channel=channel, open_item__cleared_at__isnull=False, open_item__how="booked"
        )
        explain_discrepancies(rows=booked, reason="it is in our books by now")
    return opened
