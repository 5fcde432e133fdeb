"""What becomes of the verdicts: open items, discrepancies and totals."""

from typing import Any, Final

from django.db import connection

from reconciliation.models import StatementFile
from reconciliation.staging.fees import expected
from reconciliation.staging.pools import APART, NO_ONE, run
from reconciliation.terms import Terms

_PREFIX: Final = (
    "CASE {kind} WHEN 'payment' THEN 'att' WHEN 'dispute' THEN 'dsp' WHEN 'dispute_won' THEN 'dsp'"
    " ELSE 'ref' END"
)
_NAME: Final = (
    "ledger_public_id(%s, {row}.{key}) || CASE WHEN {row}.kind LIKE 'refund%%%%' AND {row}.part > 1"
    " THEN '_' || {row}.part ELSE '' END"
)


def _named(row: str, key: str) -> str:
    prefix = _PREFIX.format(kind=f"{row}.kind")
    return _NAME.format(row=row, key=key) % prefix


OUR_NAME: Final = _named("o", "movement")
LINE_NAME: Final = f"CASE WHEN l.ref <> {NO_ONE} THEN {_named('l', 'ref')} ELSE l.reference END"
PARENT: Final = (
    "CASE WHEN {row}.parent <> " + NO_ONE + " THEN ledger_public_id('att', {row}.parent) ELSE '' END"
)
# Of a movement of ours, a row that is not done explains nothing: it waits for the final one.
_DONE: Final = "(l.state = 'success' OR l.how = 'sum')"
_CLEARED: Final = f"""
UPDATE reconciliation_openitem i SET cleared_file_id = %(file)s, cleared_at = now(), how = l.how
FROM pool_ours o JOIN pool_lines l ON l.id = o.mate
WHERE i.id = o.item AND i.cleared_at IS NULL AND l.item IS NULL AND {_DONE}
"""
_THEIRS_CLEARED: Final = """
UPDATE reconciliation_openitem i SET cleared_file_id = %(file)s, cleared_at = now(), how = l.how
FROM pool_lines l WHERE i.id = l.item AND l.mate IS NOT NULL AND i.cleared_at IS NULL
"""
# What they told of before it was done has its final row here, whatever that is found to be.
_THEIRS_DONE: Final = f"""
UPDATE reconciliation_openitem i SET cleared_file_id = %(file)s, cleared_at = now(), how = 'final'
FROM pool_lines x JOIN pool_lines l ON l.kind = x.kind AND (
    (l.ref <> {NO_ONE} AND l.ref = x.ref AND l.part = x.part)
    OR (l.their_reference <> '' AND l.their_reference = x.their_reference))
WHERE i.id = x.item AND x.state = 'processing' AND l.item IS NULL AND l.state <> 'processing' AND i.cleared_at IS NULL
"""
# What this file explains of another day of ours is remembered, or that day's own file would miss it.
_EARLY: Final = f"""
INSERT INTO reconciliation_openitem (id, side, channel, statement, kind, reference, parent, movement, part,
    their_reference,
    grp, amount, currency, happened_at, line_state, text, file_id, line, day_on, due_on, cleared_file_id,
        cleared_at, how)
SELECT uuidv7(), 'ours', %(channel)s, %(statement)s, o.kind, {OUR_NAME}, {PARENT.format(row="o")}, o.movement, o.part,
    left(o.their_reference, 100), '', o.amount, o.currency, o.happened_at, '', '', %(file)s, 0, o.day_on,
    o.day_on + %(late_days)s, %(file)s, now(), 'other_day'
FROM pool_ours o JOIN pool_lines l ON l.id = o.mate
WHERE o.item IS NULL AND (NOT o.in_window OR l.item IS NOT NULL) AND {_DONE}
"""
_OURS_OPEN: Final = f"""
INSERT INTO reconciliation_openitem (id, side, channel, statement, kind, reference, parent, movement, part,
    their_reference,
    grp, amount, fee, currency, happened_at, line_state, text, file_id, line, day_on, due_on, how)
SELECT uuidv7(), 'ours', %(channel)s, %(statement)s, o.kind, {OUR_NAME}, {PARENT.format(row="o")}, o.movement, o.part,
    left(o.their_reference, 100), '', o.amount, coalesce({{fee}}, 0), o.currency, o.happened_at, '', '', %(file)s, 0,
    o.day_on, o.day_on + %(late_days)s, ''
FROM pool_ours o LEFT JOIN pool_lines l ON l.id = o.mate
WHERE o.item IS NULL AND CASE WHEN l.id IS NULL THEN o.in_window AND NOT o.taken ELSE NOT {_DONE} END
"""
# A line that names something of ours waits for nothing: we have it or not.
_THEIRS_OPEN: Final = f"""
INSERT INTO reconciliation_openitem (id, side, channel, statement, kind, reference, parent, movement, part,
    their_reference,
    grp, amount, fee, currency, happened_at, line_state, text, file_id, line, day_on, due_on, how)
SELECT uuidv7(), 'theirs', %(channel)s, %(statement)s, l.kind, left({LINE_NAME}, 100), {PARENT.format(row="l")},
    nullif(l.ref, {NO_ONE}), l.part, left(l.their_reference, 100), left(l.grp, 100), l.amount, l.fee, l.currency,
    l.happened_at, l.state, left(l.text, 200), %(file)s, l.number, %(day)s,
    %(day)s + CASE WHEN l.ref = {NO_ONE} AND l.reference = '' THEN %(late_days)s ELSE 0 END, ''
FROM pool_lines l WHERE l.item IS NULL AND l.verdict IN ('missing_here', 'state') AND l.mate IS NULL
"""
# A table of its own, for only so does PostgreSQL scan all lines with several processes.
_THEIR_SUMS: Final = """
CREATE TEMPORARY TABLE their_sums ON COMMIT DROP AS
SELECT left(grp, 100) AS grp, kind, currency, count(*) AS count,
    coalesce(sum(amount) FILTER (WHERE state <> 'failed'), 0) AS amount,
    coalesce(sum(fee) FILTER (WHERE state = 'success'), 0) AS fee
FROM {table} GROUP BY left(grp, 100), kind, currency
"""
_ADD: Final = """
INSERT INTO reconciliation_statementtotal (file_id, part, grp, kind, currency, count, amount, fee)
SELECT %(file)s, part, left(grp, 100), kind, currency, sum(count), sum(amount), sum(fee) FROM ({parts}) parts
GROUP BY part, left(grp, 100), kind, currency
HAVING sum(count) <> 0 OR sum(amount) <> 0 OR sum(fee) <> 0
"""
_SAID: Final = "SELECT 'theirs' AS part, grp, kind, currency, count, amount, fee FROM their_sums"
_ALL_APART: Final = "SELECT 'apart', grp, kind, currency, count, amount, fee FROM their_sums"
# What is not in the pool agrees: the same count, sum and fee on our side.
_BETWEEN: Final = """
SELECT 'ours', '', kind, currency, sum(count), sum(amount), sum(fee) FROM (
    SELECT kind, currency, count, amount, fee FROM their_sums WHERE kind NOT IN {apart}
    UNION ALL
    SELECT kind, currency, -1, CASE state WHEN 'failed' THEN 0 ELSE -amount END,
        CASE state WHEN 'success' THEN -fee ELSE 0 END
    FROM pool_lines WHERE item IS NULL
    UNION ALL
    SELECT o.kind, o.currency, 1, o.amount, coalesce({fee}, 0) FROM pool_ours o WHERE o.in_window
) same GROUP BY kind, currency
UNION ALL
SELECT CASE WHEN mate IS NULL THEN 'only_theirs' ELSE 'differs' END, grp, kind, currency, 1,
    CASE state WHEN 'failed' THEN 0 ELSE amount END, CASE state WHEN 'success' THEN fee ELSE 0 END
FROM pool_lines WHERE item IS NULL
UNION ALL
SELECT 'differs', '', o.kind, o.currency, -1, -o.amount, -coalesce({fee}, 0)
FROM pool_ours o JOIN pool_lines l ON l.id = o.mate WHERE l.item IS NULL
UNION ALL
SELECT 'other_day', '', o.kind, o.currency, 1, o.amount, coalesce({fee}, 0)
FROM pool_ours o JOIN pool_lines l ON l.id = o.mate WHERE l.item IS NULL AND NOT o.in_window
UNION ALL
SELECT CASE WHEN o.mate IS NULL AND NOT taken THEN 'only_ours' ELSE 'elsewhere' END, '', o.kind, o.currency,
    -1, -o.amount, -coalesce({fee}, 0)
FROM pool_ours o LEFT JOIN pool_lines l ON l.id = o.mate
WHERE o.in_window AND (o.mate IS NULL OR l.item IS NOT NULL)
"""
_UNMATCHED: Final = (
    "SELECT count(*) FROM pool_lines WHERE item IS NULL AND mate IS NULL AND verdict <> 'nothing'"
)


def write_items(file: StatementFile, terms: Terms) -> None:
    """This will clear the open items that the file explains, and open those that it leaves."""
    values = _values(file, terms)
    run(_CLEARED, values)
    run(_THEIRS_CLEARED, values)
    run(_THEIRS_DONE, values)
    run(_EARLY, values)
    run(_OURS_OPEN.format(fee=_fee(terms)), values)
    run(_THEIRS_OPEN, values)


def unmatched() -> int:
    """How many lines of the file belong to no movement of ours, and should."""
    with connection.cursor() as cursor:
        cursor.execute(_UNMATCHED)
        return int(cursor.fetchone()[0])


def write_totals(table: str, file: StatementFile, terms: Terms, *, compared: bool) -> None:
    """This will add up both sides and everything between them; or what theirs says, where it is not compared."""
    values = _values(file, terms)
    run(_THEIR_SUMS.format(table=table))
    if not compared:
        return _add(f"{_SAID} UNION ALL {_ALL_APART}", values)
    between = _BETWEEN.format(apart=APART, fee=_fee(terms))
    return _add(f"{_SAID} UNION ALL {_ALL_APART} WHERE kind IN {APART} UNION ALL {between}", values)


def _add(parts: str, values: dict[str, Any]) -> None:
    run(_ADD.format(parts=parts), values)


def _fee(terms: Terms) -> str:
    return expected(terms.tariff, "o", terms.tariff.rates[0] if terms.tariff else 0)


def _values(file: StatementFile, terms: Terms) -> dict[str, Any]:
    begin, end = terms.window(file.day_on)
    return {
        "file": file.pk,
        "channel": file.channel,
        "statement": file.kind,
        "day": file.day_on,
        "late_days": terms.late_days,
        "begin": begin,
        "end": end,
    }
