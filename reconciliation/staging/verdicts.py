"""What each odd line and movement means: one verdict each, and of a pair that differs the gravest difference."""

from typing import Final

from payments.movements import ASKED
from reconciliation.staging.fees import apart, expected
from reconciliation.staging.pools import NO_ONE, run
from reconciliation.terms import Terms

_ALONE: Final = "l.mate IS NULL AND l.verdict IS NULL AND l.item IS NULL"
# The same name again, or the same row of theirs: when the other one counts, or comes before this one. What is not done
# moves no money beside a row that says the same.
_REPEATED: Final = (
    "UPDATE pool_lines l SET verdict = CASE l.state WHEN 'success' THEN 'duplicate' ELSE 'nothing' END"
)
_OTHER_COUNTS: Final = """(
    x.number < l.number
    OR NOT EXISTS (SELECT FROM pool_lines p WHERE p.number = x.number AND p.mate IS NULL AND p.item IS NULL))"""
# What another day's file told of, and we know nothing of still: by its own number, or by its name and sum. What is done
# repeats nothing that was not.
_SUM: Final = "AND (x.amount, x.currency) = (l.amount, l.currency)"
_SAME: Final = (
    "l.their_reference <> '' AND x.their_reference = l.their_reference",
    f"l.ref <> {NO_ONE} AND x.ref = l.ref AND x.part = l.part {_SUM}",
    f"l.reference <> '' AND x.reference = l.reference {_SUM}",
)
_DUPLICATES: Final = (
    f"""
{_REPEATED} FROM pool_lines x
WHERE {_ALONE} AND l.ref <> {NO_ONE} AND x.item IS NULL AND x.ref = l.ref AND x.kind = l.kind AND x.part = l.part
    AND x.number <> l.number AND {_OTHER_COUNTS}
""",
    f"""
{_REPEATED} FROM again x
WHERE {_ALONE} AND l.their_reference <> '' AND x.their_reference = l.their_reference AND x.kind = l.kind
    AND x.number <> l.number AND {_OTHER_COUNTS}
""",
    f"""
{_REPEATED} FROM pool_ours o
WHERE {_ALONE} AND o.taken AND o.kind = l.kind
    AND ((l.ref <> {NO_ONE} AND o.movement = l.ref AND (o.part = l.part OR l.kind = 'payment'))
        OR (l.their_reference <> '' AND o.their_reference = l.their_reference))
""",
    *(
        f"""
{_REPEATED} FROM pool_lines x
WHERE {_ALONE} AND x.item IS NOT NULL AND x.kind = l.kind AND (x.state = 'success' OR l.state <> 'success') AND {same}
"""
        for same in _SAME
    ),
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
# A row that is not done tells nothing when it was told so before; what failed in the end was not.
_TOLD: Final = """
    l.state <> 'success' AND EXISTS (SELECT FROM reconciliation_discrepancy d
        JOIN reconciliation_statementfile f ON f.id = d.file_id AND f.state IN ('MATCHED', 'SETTLED')
        WHERE d.open_item_id = o.item AND d.kind <> 'missing_there' AND l.state IN ('processing', d.their_state))
"""
# A pair in which nothing differs but the day is late when it took longer than it may, and nobody was told before.
_PAIRS: Final = f"""
UPDATE pool_lines l SET verdict = CASE
    WHEN {_TOLD} THEN 'nothing'
    WHEN l.currency <> o.currency THEN 'currency'
    WHEN abs(l.amount - o.amount) > %(forgiven)s THEN 'amount'
    WHEN l.state <> 'success' THEN 'state'
    WHEN {{fee}} THEN 'fee'
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


def judge(channel: str, day: object, terms: Terms) -> None:
    """This will write a `verdict` beside every line of the pool that is this file's own."""
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
