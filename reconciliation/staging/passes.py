"""Which of the odd lines belong to which of our movements: the surest sign first, each row once."""

from typing import Final

from reconciliation.staging.pools import NO_ONE, run
from reconciliation.terms import Tolerance

# A refund is known by its try, too. Of a payment, which capture it was says nobody.
_PART: Final = "CASE WHEN kind = 'payment' THEN 0 ELSE part END"
_FREE_LINES: Final = "mate IS NULL"
_FREE_OURS: Final = "mate IS NULL AND NOT taken"
# The first of one side goes with the first of the other, and so on. `mate` is the line's own number in the pool.
_PAIR: Final = """
WITH pairs AS MATERIALIZED (
    SELECT l.id AS line, o.id AS ours FROM (
        SELECT id, {theirs}, row_number() OVER (PARTITION BY {their_names} ORDER BY item NULLS FIRST, number,
            id) AS nth
        FROM pool_lines WHERE {free_lines} AND {their_condition}
    ) l JOIN (
        SELECT id, {ours}, row_number() OVER (PARTITION BY {our_names} ORDER BY NOT in_window, happened_at,
            part, id) AS nth
        FROM pool_ours WHERE {free_ours} AND {our_condition}
    ) o USING ({names}, nth)
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
    SELECT kind, currency, parent, sum(amount) AS amount, count(*) AS rows, min(id) AS mate FROM pool_lines
    WHERE {_FREE_LINES} AND parent <> {NO_ONE} GROUP BY 1, 2, 3
), ours AS (
    SELECT kind, currency, parent, sum(amount) AS amount, count(*) AS rows FROM pool_ours
    WHERE {_FREE_OURS} GROUP BY 1, 2, 3
), sets AS MATERIALIZED (
    SELECT kind, currency, parent, mate FROM theirs JOIN ours USING (kind, currency, parent, amount)
    WHERE theirs.rows <> ours.rows
), lines AS (
    UPDATE pool_lines l SET mate = s.mate, how = 'sum' FROM sets s
    WHERE l.mate IS NULL AND (l.kind, l.currency, l.parent) = (s.kind, s.currency, s.parent)
)
UPDATE pool_ours o SET mate = s.mate, how = 'sum' FROM sets s
WHERE o.mate IS NULL AND NOT taken AND (o.kind, o.currency, o.parent) = (s.kind, s.currency, s.parent)
"""
# What names nothing of ours: the same sum at the same time, when there is one such on either side, or a text that
# names what was paid.
_SIMILAR: Final = f"""
WITH near AS (
    SELECT l.id AS line, o.id AS ours, count(*) OVER (PARTITION BY l.id) AS of_line,
        count(*) OVER (PARTITION BY o.id) AS of_ours
    FROM pool_lines l JOIN pool_ours o USING (kind, currency, amount)
    WHERE l.mate IS NULL AND o.mate IS NULL AND NOT o.taken AND l.ref = {NO_ONE} AND l.parent = {NO_ONE}
        AND l.reference = '' AND {{sign}}
), pairs AS MATERIALIZED (SELECT line, ours FROM near WHERE of_line = 1 AND of_ours = 1
), lines AS (UPDATE pool_lines SET mate = id, how = 'similar' FROM pairs WHERE id = pairs.line)
UPDATE pool_ours SET mate = pairs.line, how = 'similar' FROM pairs WHERE id = pairs.ours
"""
_SAYS_SO: Final = "o.reference <> '' AND strpos(l.text, o.reference) > 0"
_AT_THE_TIME: Final = """
    l.their_reference NOT IN (SELECT their_reference FROM pool_ours WHERE their_reference <> '')
    AND l.happened_at BETWEEN o.happened_at - %(near)s * interval '1 second'
        AND o.happened_at + %(near)s * interval '1 second'
"""


def find_mates(tolerance: Tolerance) -> None:
    """This will give every line that belongs to movements of ours, and those, the same `mate` and `how`."""
    name = {"kind": ("kind", "kind"), "name": ("ref", "movement"), "piece": (_PART, _PART)}
    exact = {"amount": ("amount", "amount"), "currency": ("currency", "currency")}
    theirs = {"kind": ("kind", "kind"), "theirs": ("their_reference", "their_reference")}
    parent = {"kind": ("kind", "kind"), "parent": ("parent", "parent")}
    _pair("reference", {**name, **exact}, f"ref <> {NO_ONE}")
    _pair("their_reference", {**theirs, **exact}, "their_reference <> ''", "their_reference <> ''")
    _pair("parent", {**parent, **exact}, f"ref = {NO_ONE} AND parent <> {NO_ONE} AND kind <> 'payment'")
    run(_PARENTS)
    run(f"UPDATE pool_lines SET parent = ref WHERE kind = 'payment' AND ref <> {NO_ONE}")
    run(_SUMS)
    run(_SIMILAR.format(sign=_SAYS_SO))
    run(_SIMILAR.format(sign=_AT_THE_TIME), {"near": tolerance.seconds})
    _pair("reference", name, f"ref <> {NO_ONE}")
    _pair("their_reference", theirs, "their_reference <> ''", "their_reference <> ''")
    _pair("parent", parent, f"ref = {NO_ONE} AND parent <> {NO_ONE} AND kind LIKE 'dispute%%'")


def _pair(how: str, by: dict[str, tuple[str, str]], theirs: str, ours: str = "true") -> None:
    sql = _PAIR.format(
        theirs=", ".join(f"{one} AS by_{name}" for name, (one, _) in by.items()),
        ours=", ".join(f"{one} AS by_{name}" for name, (_, one) in by.items()),
        their_names=", ".join(one for one, _ in by.values()),
        our_names=", ".join(one for _, one in by.values()),
        names=", ".join(f"by_{name}" for name in by),
        free_lines=_FREE_LINES,
        free_ours=_FREE_OURS,
        their_condition=theirs,
        our_condition=ours,
    )
    run(sql, {"how": how})
