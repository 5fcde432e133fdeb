"""What each odd line and movement means: one verdict each, and of a pair that differs the gravest difference."""

from typing import Final

from payments.movements import ASKED
from reconciliation.staging.fees import apart, expected
from reconciliation.staging.pools import NO_ONE, run
from reconciliation.terms import Terms

_ALONE: Final = "l.mate IS NULL AND l.verdict IS NULL AND l.item IS NULL"
# What the file has under the same names as the pool.
_AGAIN: Final = f"""
CREATE TEMPORARY TABLE again ON COMMIT DROP AS
SELECT number, ref, part, kind, their_reference FROM {{table}}
WHERE ref IN (SELECT ref FROM pool_lines WHERE ref <> {NO_ONE})
    OR their_reference IN (SELECT their_reference FROM pool_lines WHERE their_reference <> '')
"""
# The same name again, or the same row of theirs: when the other one counts, or comes before this one.
_OTHER_COUNTS: Final = """(
    x.number < l.number
    OR NOT EXISTS (SELECT FROM pool_lines p WHERE p.number = x.number AND p.mate IS NULL AND p.item IS NULL))"""
_DUPLICATES: Final = (
    f"""
UPDATE pool_lines l SET verdict = 'duplicate' FROM again x
WHERE {_ALONE} AND l.ref <> {NO_ONE} AND x.ref = l.ref AND x.kind = l.kind AND x.part = l.part
    AND x.number <> l.number AND {_OTHER_COUNTS}
""",
    f"""
UPDATE pool_lines l SET verdict = 'duplicate' FROM again x
WHERE {_ALONE} AND l.their_reference <> '' AND x.their_reference = l.their_reference AND x.kind = l.kind
    AND x.number <> l.number AND {_OTHER_COUNTS}
""",
    f"""
UPDATE pool_lines l SET verdict = 'duplicate' FROM pool_ours o
WHERE {_ALONE} AND o.taken AND o.kind = l.kind
    AND ((l.ref <> {NO_ONE} AND o.movement = l.ref AND (o.part = l.part OR l.kind = 'payment'))
        OR (l.their_reference <> '' AND o.their_reference = l.their_reference))
""",
    f"""
UPDATE pool_lines l SET verdict = 'duplicate' FROM pool_lines x
WHERE {_ALONE} AND x.item IS NOT NULL AND x.kind = l.kind AND l.their_reference <> ''
    AND x.their_reference = l.their_reference
""",
)
# We asked for it, and it took no money as far as we know. Both may be waiting still.
_STATES: Final = f"""
UPDATE pool_lines l SET verdict = CASE
    WHEN l.state = 'failed' OR (l.state = 'processing' AND a.state IN ('CREATED', 'SENT', 'UNKNOWN',
        'REQUESTED', 'PROCESSING'))
    THEN 'nothing' ELSE 'state' END
FROM {ASKED} a
WHERE {_ALONE} AND a.movement = ANY (ARRAY(SELECT ref FROM pool_lines l WHERE {_ALONE} AND ref <> {NO_ONE}))
    AND a.movement = l.ref AND a.kind = l.kind AND a.channel = %(channel)s
"""
_REST: Final = f"""
UPDATE pool_lines l SET verdict = CASE WHEN l.state = 'failed' OR l.amount = 0 THEN 'nothing' ELSE 'missing_here' END
WHERE {_ALONE}
"""
# A pair in which nothing differs but the day is late when it took longer than it may, and nobody was told before.
_PAIRS: Final = """
UPDATE pool_lines l SET verdict = CASE
    WHEN l.currency <> o.currency THEN 'currency'
    WHEN abs(l.amount - o.amount) > %(forgiven)s THEN 'amount'
    WHEN l.state <> 'success' THEN 'state'
    WHEN {fee} THEN 'fee'
    WHEN abs(%(day)s - o.day_on) > %(late_days)s
        AND NOT EXISTS (SELECT FROM reconciliation_discrepancy d WHERE d.open_item_id = o.item) THEN 'late'
    ELSE 'agrees' END
FROM pool_ours o WHERE o.mate = l.mate AND l.how <> 'sum' AND l.mate = l.id AND l.item IS NULL
"""
_SUMS: Final = """
UPDATE pool_lines l SET verdict = CASE WHEN l.state <> 'success' THEN 'state'
    WHEN l.id = l.mate AND abs(
        (SELECT sum(fee) FROM pool_lines x WHERE x.mate = l.mate)
        - (SELECT sum(coalesce({expected}, 0)) FROM pool_ours o WHERE o.mate = l.mate)
    ) > 1000 * (SELECT count(*) FROM pool_lines x WHERE x.mate = l.mate) AND {compared}
    THEN 'fee' ELSE 'agrees' END
WHERE l.how = 'sum' AND l.item IS NULL
"""

# What follows joins both by what was just written: without it, each with each.
_STUDY: Final = "ANALYZE pool_lines; ANALYZE pool_ours"


def judge(table: str, channel: str, day: object, terms: Terms) -> None:
    """This will write a `verdict` beside every line of the pool that is this file's own."""
    run(_AGAIN.format(table=table))
    for sql in _DUPLICATES:
        run(sql)
    run(_STATES, {"channel": channel})
    run(_REST)
    values = {"forgiven": terms.tolerance.amount, "day": day, "late_days": terms.late_days}
    run(_PAIRS.format(fee=apart(terms.tariff, terms.tolerance, "l", "o")), values)
    rate = terms.tariff.rates[0] if terms.tariff else 0
    compared = "true" if terms.tariff else "false"
    run(_SUMS.format(expected=expected(terms.tariff, "o", rate), compared=compared))
    run(_STUDY)
