"""What has changed in our books since a statement was matched."""

from typing import Final

from payments.movements import MOVEMENTS
from reconciliation.models import StatementFile
from reconciliation.staging.fees import expected
from reconciliation.staging.outcome import OUR_NAME, PARENT
from reconciliation.staging.pools import run
from reconciliation.terms import Terms

# What they told of first has arrived here, and is the same.
_BOOKED: Final = f"""
UPDATE reconciliation_openitem i SET cleared_file_id = i.file_id, cleared_at = now(), how = 'booked'
FROM {MOVEMENTS} o
WHERE i.channel = %(channel)s AND i.side = 'theirs' AND i.cleared_at IS NULL AND i.line_state = 'success'
    AND o.movement = ANY (ARRAY(SELECT movement FROM reconciliation_openitem
        WHERE channel = %(channel)s AND side = 'theirs' AND cleared_at IS NULL AND movement IS NOT NULL))
    AND (o.movement, o.kind, o.part, o.amount, o.currency, o.channel)
        = (i.movement, i.kind, i.part, i.amount, i.currency, i.channel)
"""
# Booked after the statement of its day was matched, and none of its lines is about it.
_BOOKED_LATE: Final = f"""
INSERT INTO reconciliation_openitem (id, side, channel, statement, kind, reference, parent, movement, part,
    their_reference, grp, amount, fee, currency, happened_at, line_state, text, file_id, line, day_on, due_on, how)
SELECT uuidv7(), 'ours', o.channel, %(statement)s, o.kind, {OUR_NAME}, {PARENT.format(row="o")}, o.movement, o.part,
    left(o.their_reference, 100), '', o.amount, coalesce({{fee}}, 0), o.currency, o.happened_at, '', '', %(file)s, 0,
    %(day)s, %(day)s + %(late_days)s, ''
FROM {MOVEMENTS} o
WHERE o.channel = %(channel)s AND o.happened_at >= %(begin)s AND o.happened_at < %(end)s
    AND o.booked_at > %(matched_at)s
    AND NOT EXISTS (SELECT FROM reconciliation_openitem i WHERE i.channel = o.channel AND i.statement = %(statement)s
        AND i.kind = o.kind AND i.movement = o.movement AND i.part = o.part)
"""


def clear_what_is_booked(channel: str) -> None:
    """This will clear the items of theirs that our books have by now."""
    run(_BOOKED, {"channel": channel})


def open_what_was_booked_late(file: StatementFile, terms: Terms) -> int:
    """This will open an item for what the file should have had, and was not known here when it was matched."""
    begin, end = terms.window(file.day_on)
    rate = terms.tariff.rates[0] if terms.tariff else 0
    return run(
        _BOOKED_LATE.format(fee=expected(terms.tariff, "o", rate)),
        {
            "file": file.pk,
            "channel": file.channel,
            "statement": file.kind,
            "day": file.day_on,
            "late_days": terms.late_days,
            "begin": begin,
            "end": end,
            "matched_at": file.matched_at,
        },
    )
