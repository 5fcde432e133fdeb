"""What does not simply agree: lines and movements that are looked at closer, in two small tables."""

from typing import Any, Final

from django.db import connection

from payments.movements import MOVEMENTS
from reconciliation.models import StatementFile
from reconciliation.staging.encoding import COLUMNS, NOBODY
from reconciliation.staging.fees import agree
from reconciliation.staging.table import StagedLines
from reconciliation.terms import Terms

NO_ONE: Final = f"'{NOBODY.hex()}'::uuid"
# Lines that are no movement of a payment or refund: they are added up, and settlement posts them.
APART: Final = "('fee', 'payout', 'credit', 'debit')"
_OUR_COLUMNS: Final = (
    "kind, movement, part, parent, their_reference, amount, fee, currency, happened_at, booked_at, payment"
)
_LINE_OF_ITEM: Final = f"""
    i.kind, i.line_state, i.currency, i.grp, i.reference, i.part, {NO_ONE}, 0, coalesce(i.movement, {NO_ONE}),
    i.amount, i.fee, i.happened_at, i.their_reference, i.text, i.id
"""

# Little comes out of the join of all lines, which PostgreSQL does not know: one process alone would do all of it.
_TOGETHER: Final = "SET LOCAL parallel_tuple_cost = 0"
_AS_BEFORE: Final = "SET LOCAL parallel_tuple_cost TO DEFAULT"
# The one pass over both sides: everything but what is equal in all. A name that the file has twice agrees twice here,
# so that all lines are kept of a name that it may have twice, if only of several parts, or that other files had to say
# something about. Of a line only what is compared, and where it lies: all lines are in memory at once.
_ODD: Final = """
CREATE TEMPORARY TABLE odd ON COMMIT DROP AS
SELECT s.place, {ours}
FROM (
    SELECT l.ctid AS place, l.ref, l.part, l.kind, l.amount, l.currency, l.fee,
        l.state = 'success' AND known.ref IS NULL AS plain
    FROM {table} l LEFT JOIN (
        SELECT ref FROM {names} WHERE ref <> {no_one}
        UNION SELECT movement FROM reconciliation_openitem
        WHERE channel = %(channel)s AND statement = %(statement)s AND side = 'ours' AND day_on = %(day)s
        UNION SELECT movement FROM reconciliation_openitem
        WHERE channel = %(channel)s AND statement = %(statement)s AND side = 'theirs' AND cleared_at IS NULL
            AND movement IS NOT NULL
    ) known ON known.ref = l.ref
    WHERE l.kind NOT IN {apart}
) s
FULL JOIN (
    SELECT * FROM {movements}
    WHERE channel = %(channel)s AND happened_at >= %(begin)s AND happened_at < %(end)s
) m ON s.ref = m.movement AND s.part = m.part AND s.kind = m.kind
WHERE (s.amount = m.amount AND s.currency = m.currency AND s.plain AND {fee}) IS NOT TRUE
"""
_LINES: Final = """
ANALYZE odd;
CREATE TEMPORARY TABLE pool_lines ON COMMIT DROP AS
SELECT {theirs}, NULL::uuid AS item FROM {table} s WHERE s.ctid IN (SELECT place FROM odd)
"""
_LINES_BEFORE: Final = """
INSERT INTO pool_lines SELECT {line} FROM reconciliation_openitem i
WHERE i.channel = %(channel)s AND i.statement = %(statement)s AND i.side = 'theirs' AND i.cleared_at IS NULL
"""
# Two lines of one name meet the same movement of ours twice: two captures, or a name that the file has twice.
_OURS: Final = """
CREATE TEMPORARY TABLE pool_ours ON COMMIT DROP AS
SELECT DISTINCT {ours}, true AS in_window, NULL::uuid AS item, NULL::text AS reference
FROM odd AS m WHERE m_movement IS NOT NULL
"""
_OURS_NAMED: Final = """
INSERT INTO pool_ours
SELECT {ours}, v.happened_at >= %(begin)s AND v.happened_at < %(end)s, NULL, NULL FROM {movements} v
WHERE v.channel = %(channel)s AND {condition}
    AND NOT EXISTS (SELECT FROM pool_ours p WHERE (p.kind, p.movement, p.part) = (v.kind, v.movement, v.part))
"""
_BY_NAME: Final = f"v.movement = ANY (ARRAY(SELECT ref FROM pool_lines WHERE ref <> {NO_ONE}))"
# Of this day, those that are not in the pool agree with a line already.
_BY_PARENT: Final = f"""v.kind <> 'payment' AND v.parent = ANY (ARRAY(
    SELECT parent FROM pool_lines WHERE ref = {NO_ONE} AND parent <> {NO_ONE}))
    AND NOT (v.happened_at >= %(begin)s AND v.happened_at < %(end)s)"""
_BY_ITEM: Final = """v.movement = ANY (ARRAY(
    SELECT movement FROM reconciliation_openitem
    WHERE channel = %(channel)s AND statement = %(statement)s AND side = 'ours' AND cleared_at IS NULL))"""
# What was paid by it is in another table: looked up for these few only.
_PAID: Final = """
UPDATE pool_ours o SET reference = v.reference FROM {movements} v
WHERE v.movement = ANY (ARRAY(SELECT movement FROM pool_ours)) AND v.movement = o.movement AND v.kind = o.kind
    AND v.part = o.part
"""
# Another file explained it: it has an item that is cleared, or theirs has one that our books explained; or its day has
# a statement and it has none.
_SETTLE: Final = """
ALTER TABLE pool_lines ADD id serial, ADD mate integer, ADD how text NOT NULL DEFAULT '', ADD verdict text;
ALTER TABLE pool_ours ADD id serial, ADD mate integer, ADD how text NOT NULL DEFAULT '', ADD day_on date,
    ADD taken boolean NOT NULL DEFAULT false;
UPDATE pool_ours SET day_on = ((happened_at AT TIME ZONE %(zone)s) - %(offset)s)::date;
UPDATE pool_ours o SET item = i.id, taken = i.cleared_at IS NOT NULL FROM reconciliation_openitem i
WHERE i.side = 'ours' AND i.channel = %(channel)s AND i.statement = %(statement)s
    AND i.kind = o.kind AND i.movement = o.movement AND i.part = o.part;
UPDATE pool_ours o SET taken = true
FROM reconciliation_openitem i JOIN reconciliation_statementfile f ON f.id = i.file_id
WHERE i.side = 'theirs' AND i.channel = %(channel)s AND i.statement = %(statement)s
    AND i.how IN ('booked', 'repaired') AND i.line_state = 'success' AND f.state IN ('MATCHED', 'SETTLED')
    AND i.kind = o.kind AND i.movement = o.movement AND i.part = o.part;
UPDATE pool_ours o SET taken = true FROM reconciliation_statementfile f
WHERE o.item IS NULL AND NOT o.in_window AND f.channel = %(channel)s AND f.kind = %(statement)s
    AND f.day_on = o.day_on AND f.state IN ('MATCHED', 'SETTLED')
    AND coalesce(o.booked_at <= f.matched_at, true);
ANALYZE pool_lines; ANALYZE pool_ours;
"""
# What the file has under the same names of theirs. Of a name of ours the pool has every line, if there are several.
_AGAIN: Final = """
CREATE TEMPORARY TABLE again ON COMMIT DROP AS
SELECT number, kind, their_reference FROM {table}
WHERE their_reference IN (SELECT their_reference FROM pool_lines WHERE their_reference <> '')
"""


def gather(staged: StagedLines, file: StatementFile, terms: Terms) -> None:
    """This will fill `pool_lines`, `pool_ours` and `again`, which last until the open transaction ends."""
    begin, end = terms.window(file.day_on)
    values = {
        "channel": file.channel,
        "statement": file.kind,
        "day": file.day_on,
        "begin": begin,
        "end": end,
        "zone": str(terms.zone),
        "offset": terms.offset,
    }
    theirs, ours = _aliased(COLUMNS, "s"), _aliased(_OUR_COLUMNS, "m", rename=True)
    fixed = {"table": staged.table, "movements": MOVEMENTS, "apart": APART, "no_one": NO_ONE}
    fee = agree(terms.tariff, "s", "m")
    run(_TOGETHER)
    run(_ODD.format(ours=ours, names=staged.names, fee=fee, **fixed), values)
    run(_AS_BEFORE)
    run(_LINES.format(theirs=theirs, **fixed))
    run(_LINES_BEFORE.format(line=_LINE_OF_ITEM), values)
    back = ", ".join(f"m.m_{name} AS {name}" for name in _OUR_COLUMNS.split(", "))
    run(_OURS.format(ours=back))
    for condition in (_BY_NAME, _BY_PARENT, _BY_ITEM):
        named = _aliased(_OUR_COLUMNS, "v")
        run(_OURS_NAMED.format(ours=named, condition=condition, **fixed), values)
    run(_PAID.format(**fixed))
    run(_SETTLE, values)
    run(_AGAIN.format(table=staged.table))


def run(sql: str, values: dict[str, Any] | None = None) -> int:
    """How many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return int(cursor.rowcount)


def _aliased(columns: str, alias: str, *, rename: bool = False) -> str:
    return ", ".join(f"{alias}.{name}{f' AS m_{name}' if rename else ''}" for name in columns.split(", "))
