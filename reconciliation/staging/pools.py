"""What does not simply agree: lines and movements that are looked at closer, in two small tables."""

from typing import Any, Final

from django.db import connection

from payments.movements import MOVEMENTS
from reconciliation.models import StatementFile
from reconciliation.staging.encoding import COLUMNS, NOBODY
from reconciliation.staging.fees import agree
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

# One pass over both sides: everything but what is equal in all. A name that the file has twice agrees twice here.
# Of a line only what is compared: all lines are in memory at once.
_ODD: Final = """
CREATE TEMPORARY TABLE odd ON COMMIT DROP AS
SELECT s.number, {ours}
FROM {table} s
FULL JOIN (
    SELECT * FROM {movements}
    WHERE channel = %(channel)s AND happened_at >= %(begin)s AND happened_at < %(end)s
) m ON s.ref = m.movement AND s.part = m.part AND s.kind = m.kind
WHERE (s.amount = m.amount AND s.currency = m.currency AND s.state = 'success' AND {fee}) IS NOT TRUE
    AND (s.kind IS NULL OR s.kind NOT IN {apart})
"""
# Names that the file has more than once, if only of several parts, and what other files had to say of this day.
_TWICE: Final = """
CREATE TEMPORARY TABLE twice ON COMMIT DROP AS
SELECT ref FROM {table} WHERE ref <> {no_one} AND kind NOT IN {apart} GROUP BY ref HAVING count(*) > 1
UNION SELECT movement FROM reconciliation_openitem
WHERE channel = %(channel)s AND statement = %(statement)s AND side = 'ours' AND day_on = %(day)s
"""
_LINES: Final = """
CREATE TEMPORARY TABLE pool_lines ON COMMIT DROP AS
SELECT {theirs}, NULL::uuid AS item FROM {table} s
WHERE (number IN (SELECT number FROM odd) OR ref IN (SELECT ref FROM twice)) AND kind NOT IN {apart}
"""
_LINES_BEFORE: Final = """
INSERT INTO pool_lines SELECT {line} FROM reconciliation_openitem i
WHERE i.channel = %(channel)s AND i.statement = %(statement)s AND i.side = 'theirs' AND i.cleared_at IS NULL
"""
_OURS: Final = """
CREATE TEMPORARY TABLE pool_ours ON COMMIT DROP AS
SELECT {ours}, true AS in_window, NULL::uuid AS item, NULL::text AS reference FROM odd AS m WHERE m_movement IS NOT NULL
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
# Another file explained it: it has an item that is cleared, or its day has a statement and it has none.
_SETTLE: Final = """
ALTER TABLE pool_lines ADD id serial, ADD mate integer, ADD how text NOT NULL DEFAULT '', ADD verdict text;
ALTER TABLE pool_ours ADD id serial, ADD mate integer, ADD how text NOT NULL DEFAULT '', ADD day_on date,
    ADD taken boolean NOT NULL DEFAULT false;
UPDATE pool_ours SET day_on = ((happened_at AT TIME ZONE %(zone)s) - %(offset)s)::date;
UPDATE pool_ours o SET item = i.id, taken = i.cleared_at IS NOT NULL FROM reconciliation_openitem i
WHERE i.side = 'ours' AND i.channel = %(channel)s AND i.statement = %(statement)s
    AND i.kind = o.kind AND i.movement = o.movement AND i.part = o.part;
UPDATE pool_ours o SET taken = true FROM reconciliation_statementfile f
WHERE o.item IS NULL AND NOT o.in_window AND f.channel = %(channel)s AND f.kind = %(statement)s
    AND f.day_on = o.day_on AND f.state IN ('MATCHED', 'SETTLED')
    AND coalesce(o.booked_at <= f.matched_at, true);
ANALYZE pool_lines; ANALYZE pool_ours;
"""


def gather(table: str, file: StatementFile, terms: Terms) -> None:
    """This will fill `pool_lines` and `pool_ours`, which last until the open transaction ends."""
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
    fixed = {"table": table, "movements": MOVEMENTS, "apart": APART, "no_one": NO_ONE}
    run(_ODD.format(ours=ours, fee=agree(terms.tariff, "s", "m"), **fixed), values)
    run(_TWICE.format(**fixed), values)
    run(_LINES.format(theirs=theirs, **fixed))
    run(_LINES_BEFORE.format(line=_LINE_OF_ITEM), values)
    back = ", ".join(f"m.m_{name} AS {name}" for name in _OUR_COLUMNS.split(", "))
    run(_OURS.format(ours=back))
    for condition in (_BY_NAME, _BY_PARENT, _BY_ITEM):
        named = _aliased(_OUR_COLUMNS, "v")
        run(_OURS_NAMED.format(ours=named, condition=condition, **fixed), values)
    run(_PAID.format(**fixed))
    run(_SETTLE, values)


def run(sql: str, values: dict[str, Any] | None = None) -> int:
    """How many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return int(cursor.rowcount)


def _aliased(columns: str, alias: str, *, rename: bool = False) -> str:
    return ", ".join(f"{alias}.{name}{f' AS m_{name}' if rename else ''}" for name in columns.split(", "))
