"""What waits in the ledger's queue: days that could not be closed by themselves."""

from django.db import connection

from ledger.facts import OpenWork
from ledger.models.days import CLOSE_REFUSED, today

_REFUSED = """
SELECT count(DISTINCT object_id), min(happened_at) FROM ledger_auditentry
WHERE action = %s AND object_id > coalesce((SELECT max(posted_on) FROM ledger_dayclose)::text, '') AND object_id <= %s
"""


def days() -> OpenWork:
    """Those that are open still; their time is over. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_REFUSED, [CLOSE_REFUSED, today().isoformat()])
        count, oldest = cursor.fetchone()
    return OpenWork(count, oldest, count)
