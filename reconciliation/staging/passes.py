"""Which of the odd lines belong to which of our movements: the surest sign first, each row once."""

from typing import Final

from reconciliation.staging.fees import apart
from reconciliation.staging.pools import NO_ONE, run
from reconciliation.terms import Terms

# A refund is known by its try, too. Of a payment, which capture it was says nobody.
_NAME: Final = "l.kind = o.kind AND l.ref = o.movement AND (l.part = o.part OR l.kind = 'payment')"
_THEIRS: Final = "l.kind = o.kind AND l.their_reference = o.their_reference"
_PARENT: Final = "l.kind = o.kind AND l.parent = o.parent"
_SUM: Final = "l.amount = o.amount AND l.currency = o.currency"
# What another file told before it was done waits for its final row.
_FREE_LINES: Final = "l.mate IS NULL AND (l.item IS NULL OR l.state = 'success')"
_FREE_OURS: Final = "o.mate IS NULL AND NOT o.taken"
# What is done comes before what is not, what this day has or missed before other days; then what lies nearest. One
# order of all pairs that could be, so that the first of them is the first of both its sides.
_NEAREST: Final = """
    l.state <> 'success', l.item IS NOT NULL, NOT (o.in_window OR o.item IS NOT NULL), abs(l.amount - o.amount),
    l.currency <> o.currency, {fee}, NOT o.in_window,
    greatest(l.happened_at - o.happened_at, o.happened_at - l.happened_at), l.number, o.happened_at, o.part, l.id, o.id
"""
# Those that are the nearest of each other; again, until no two are left. `mate` is the line's own number in the pool.
_PAIR: Final = f"""
WITH near AS (
    SELECT l.id AS line, o.id AS ours, row_number() OVER (PARTITION BY l.id ORDER BY {_NEAREST}) AS of_line,
        row_number() OVER (PARTITION BY o.id ORDER BY {_NEAREST}) AS of_ours
    FROM pool_lines l JOIN pool_ours o ON {{same}}
    WHERE {_FREE_LINES} AND {_FREE_OURS} AND {{named}}
), pairs AS MATERIALIZED (SELECT line, ours FROM near WHERE of_line = 1 AND of_ours = 1
), lines AS (UPDATE pool_lines SET mate = id, how = %(how)s FROM pairs WHERE id = pairs.line)
UPDATE pool_ours SET mate = pairs.line, how = %(how)s FROM pairs WHERE id = pairs.ours
"""
_PARENTS: Final = f"""
UPDATE pool_lines l SET parent = o.parent FROM pool_ours o
WHERE l.parent = {NO_ONE} AND l.ref <> {NO_ONE} AND o.movement = l.ref AND o.kind = l.kind
"""
# Several of one payment on fewer or more lines: their sums agree, and not their numbers.
_SUMS: Final = f"""
WITH theirs AS (
    SELECT kind, currency, parent, sum(amount) AS amount, count(*) AS rows, min(id) AS mate FROM pool_lines l
    WHERE {_FREE_LINES} AND parent <> {NO_ONE} GROUP BY 1, 2, 3
), ours AS (
    SELECT kind, currency, parent, sum(amount) AS amount, count(*) AS rows FROM pool_ours o
    WHERE {_FREE_OURS} GROUP BY 1, 2, 3
), sets AS MATERIALIZED (
    SELECT kind, currency, parent, mate FROM theirs JOIN ours USING (kind, currency, parent, amount)
    WHERE theirs.rows <> ours.rows
), lines AS (
    UPDATE pool_lines l SET mate = s.mate, how = 'sum' FROM sets s
    WHERE {_FREE_LINES} AND (l.kind, l.currency, l.parent) = (s.kind, s.currency, s.parent)
)
UPDATE pool_ours o SET mate = s.mate, how = 'sum' FROM sets s
WHERE {_FREE_OURS} AND (o.kind, o.currency, o.parent) = (s.kind, s.currency, s.parent)
"""
# What names nothing of ours: the same sum at the same time, when there is one such on either side, or a text that
# names what was paid.
_SIMILAR: Final = f"""
WITH near AS (
    SELECT l.id AS line, o.id AS ours, count(*) OVER (PARTITION BY l.id) AS of_line,
        count(*) OVER (PARTITION BY o.id) AS of_ours
    FROM pool_lines l JOIN pool_ours o USING (kind, currency, amount)
    WHERE {_FREE_LINES} AND {_FREE_OURS} AND l.ref = {NO_ONE} AND l.parent = {NO_ONE} AND l.reference = '' AND {{sign}}
), pairs AS MATERIALIZED (SELECT line, ours FROM near WHERE of_line = 1 AND of_ours = 1
), lines AS (UPDATE pool_lines SET mate = id, how = 'similar' FROM pairs WHERE id = pairs.line)
UPDATE pool_ours SET mate = pairs.line, how = 'similar' FROM pairs WHERE id = pairs.ours
"""
_SAYS_SO: Final = "o.reference <> '' AND strpos(l.text, o.reference) > 0"
# Nothing that the file has once more: with our name, it belongs to that.
_AT_THE_TIME: Final = """
    NOT EXISTS (SELECT FROM again x WHERE l.their_reference <> '' AND x.their_reference = l.their_reference
        AND x.kind = l.kind AND x.number <> l.number)
    AND NOT EXISTS (SELECT FROM pool_ours x WHERE l.their_reference <> '' AND x.their_reference = l.their_reference)
    AND l.happened_at BETWEEN o.happened_at - %(near)s * interval '1 second'
        AND o.happened_at + %(near)s * interval '1 second'
"""


def find_mates(terms: Terms) -> None:
    """This will give every line that belongs to movements of ours, and those, the same `mate` and `how`."""
    near = {"fee": apart(terms.tariff, terms.tolerance, "l", "o")}
    by_name, by_theirs = f"l.ref <> {NO_ONE}", "l.their_reference <> ''"
    by_parent = f"l.ref = {NO_ONE} AND l.parent <> {NO_ONE}"
    _pair("reference", f"{_NAME} AND {_SUM}", by_name, near)
    _pair("their_reference", f"{_THEIRS} AND {_SUM}", by_theirs, near)
    _pair("parent", f"{_PARENT} AND {_SUM}", f"{by_parent} AND l.kind <> 'payment'", near)
    run(_PARENTS)
    run(f"UPDATE pool_lines SET parent = ref WHERE kind = 'payment' AND ref <> {NO_ONE}")
    run(_SUMS)
    run(_SIMILAR.format(sign=_SAYS_SO))
    run(_SIMILAR.format(sign=_AT_THE_TIME), {"near": terms.tolerance.seconds})
    _pair("reference", _NAME, by_name, near)
    _pair("their_reference", _THEIRS, by_theirs, near)
    _pair("parent", _PARENT, f"{by_parent} AND l.kind LIKE 'dispute%%'", near)


def _pair(how: str, same: str, named: str, near: dict[str, str]) -> None:
    sql = _PAIR.format(same=same, named=named, **near)
    while run(sql, {"how": how}):
        pass
