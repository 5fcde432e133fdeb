from datetime import datetime, timedelta

from django.conf import settings

from reconciliation.models import OpenItem
from reconciliation.models.statement import LIVE
from reconciliation.services.revisit_open_items import revisit_open_items
from reconciliation.services.settle_statement import settle_statement
from reconciliation.states import Side
from reconciliation.terms import terms_of

# Longer than the job's own interval, so that what one run left the next one settles.
_SINCE = timedelta(hours=6)


def revisit_channels(*, now: datetime) -> int:
    """This will revisit the open items of every channel that is compared, and settle what our books have by now.

    Owns its transactions. Again changes nothing. Returns how many discrepancies it opened.
    """
    channels = [channel for channel in settings.RECONCILIATION if terms_of(channel).matched]
    opened = sum(revisit_open_items(channel=channel, now=now) for channel in channels)
    booked = OpenItem.objects.filter(side=Side.THEIRS, how="booked", cleared_at__gte=now - _SINCE)
    files = {item.file for item in booked.filter(file__state__in=LIVE).select_related("file")}
    for file in sorted(files, key=lambda one: one.pk):
        settle_statement(file=file.public_id)
    return opened
