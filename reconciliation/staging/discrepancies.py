"""Differences as rows of the work queue. What a corrected file says again stays the row that people work on."""

from datetime import date
from typing import Any, Final

from payments.movements import ASKED
from reconciliation.models import StatementFile
from reconciliation.staging.fees import expected
from reconciliation.staging.outcome import LINE_NAME, OUR_NAME
from reconciliation.staging.pools import NO_ONE, run
from reconciliation.terms import Terms

_COLUMNS: Final = (
    "kind, line, line_kind, subject, reference, amount, currency, told_amount, told_currency, amount_at_risk,"
    " their_reference, their_state, fee, told_fee, happened_at, ours, theirs, open_item_id"
)
_TOLD: Final = f"""jsonb_build_object('line', l.number, 'kind', l.kind, 'reference', {LINE_NAME}, 'amount', l.amount,
    'currency', l.currency, 'fee', l.fee, 'happened_at', l.happened_at, 'state', l.state,
    'their_reference', l.their_reference, 'group', l.grp, 'text', l.text)"""
_OURS: Final = f"""jsonb_build_object('kind', o.kind, 'reference', {OUR_NAME}, 'amount', o.amount, 'currency',
    o.currency, 'fee', {{fee}}, 'happened_at', o.happened_at, 'payment', ledger_public_id('pay', o.payment),
    'order', o.reference)"""
_ASKED: Final = f"""jsonb_build_object('kind', a.kind, 'reference', {LINE_NAME}, 'amount', a.amount,
    'currency', a.currency, 'state', a.state, 'payment', ledger_public_id('pay', a.payment), 'order', a.reference)"""
_LINE_SUBJECT: Final = (
    f"left(coalesce(nullif({LINE_NAME}, ''), nullif(l.their_reference, ''), 'line ' || l.number), 80)"
)
# Pairs first, of which one that is not done has the open item of ours; then lines that are alone.
_FOUND: Final = f"""
CREATE TEMPORARY TABLE found ON COMMIT DROP AS
SELECT l.verdict AS kind, l.number AS line, l.kind AS line_kind, {OUR_NAME} AS subject,
    coalesce(o.reference, '') AS reference, o.amount, o.currency, l.amount AS told_amount, l.currency AS told_currency,
    CASE l.verdict WHEN 'amount' THEN abs(l.amount - o.amount) WHEN 'late' THEN 0
        WHEN 'fee' THEN (abs(l.fee - coalesce({{fee}}, 0)) + 999) / 1000 ELSE abs(o.amount) END AS amount_at_risk,
    left(l.their_reference, 100) AS their_reference, l.state AS their_state, coalesce({{fee}}, 0) AS fee,
    l.fee AS told_fee, l.happened_at, {_OURS} AS ours, {_TOLD} AS theirs, i.id AS open_item_id
FROM pool_lines l
JOIN (SELECT DISTINCT ON (mate) * FROM pool_ours WHERE mate IS NOT NULL ORDER BY mate, id) o ON o.mate = l.mate
LEFT JOIN reconciliation_openitem i ON l.state <> 'success' AND i.cleared_at IS NULL AND i.side = 'ours'
    AND i.channel = %(channel)s AND i.statement = %(statement)s
    AND (i.kind, i.movement, i.part) = (o.kind, o.movement, o.part)
WHERE l.item IS NULL AND l.verdict IN ('amount', 'currency', 'state', 'fee', 'late')
UNION ALL
SELECT l.verdict, l.number, l.kind, {_LINE_SUBJECT}, coalesce(a.reference, ''),
    CASE WHEN l.verdict = 'state' THEN coalesce(a.amount, 0) ELSE 0 END, coalesce(a.currency, l.currency),
    l.amount, l.currency, abs(l.amount), left(l.their_reference, 100), l.state, 0, l.fee, l.happened_at,
    CASE WHEN a.movement IS NOT NULL THEN {_ASKED} END, {_TOLD}, i.id
FROM pool_lines l
LEFT JOIN (
    SELECT * FROM {ASKED}
    WHERE channel = %(channel)s
        AND movement = ANY (ARRAY(SELECT ref FROM pool_lines WHERE item IS NULL AND mate IS NULL))
) a ON a.movement = l.ref AND a.kind = l.kind
LEFT JOIN reconciliation_openitem i ON i.file_id = %(file)s AND i.side = 'theirs' AND i.line = l.number
WHERE l.item IS NULL AND l.mate IS NULL AND (
    l.verdict IN ('state', 'duplicate')
    OR (l.verdict = 'missing_here' AND (l.ref <> {NO_ONE} OR l.reference <> '' OR %(late_days)s = 0)))
"""
_SAME: Final = """
UPDATE reconciliation_discrepancy d SET file_id = %(file)s, line = f.line, open_item_id = f.open_item_id,
    times_seen = times_seen + 1, last_seen_at = now()
FROM found f
WHERE d.file_id = %(old)s AND (d.kind, d.line_kind, d.subject, d.their_reference) = (
        f.kind, f.line_kind, f.subject, f.their_reference)
    AND (d.amount, d.told_amount, d.told_currency, d.told_fee) = (f.amount, f.told_amount, f.told_currency, f.told_fee)
"""
_NEW: Final = f"""
INSERT INTO reconciliation_discrepancy (id, state, channel, source, file_id, times_seen, investigator,
    write_off_proposed_by, closed_by, reason, {_COLUMNS})
SELECT uuidv7(), 'OPEN', %(channel)s, 'statement', %(file)s, 1, '', '', '', '', {_COLUMNS} FROM found f
WHERE NOT EXISTS (SELECT FROM reconciliation_discrepancy d
    WHERE d.file_id = %(file)s
        AND (d.line, d.kind, d.line_kind, d.subject) = (f.line, f.kind, f.line_kind, f.subject))
"""
# What is due and open still: it is missing from now on, unless a file that counts tells of it otherwise.
_DUE: Final = """
INSERT INTO reconciliation_discrepancy (id, state, channel, source, file_id, times_seen, investigator,
    write_off_proposed_by, closed_by, reason, kind, line, line_kind, subject, reference, amount, currency, told_amount,
    told_currency, amount_at_risk, their_reference, their_state, fee, told_fee, happened_at, ours, theirs, open_item_id)
SELECT uuidv7(), 'OPEN', i.channel, 'statement', i.file_id, 1, '', '', '', '',
    CASE side WHEN 'ours' THEN 'missing_there' ELSE 'missing_here' END, i.line, i.kind,
    left(coalesce(nullif(i.reference, ''), nullif(i.their_reference, ''), 'line ' || i.line), 80), '',
    CASE side WHEN 'ours' THEN i.amount ELSE 0 END, i.currency, CASE side WHEN 'ours' THEN 0 ELSE i.amount END,
    CASE side WHEN 'ours' THEN '' ELSE i.currency END, abs(i.amount), i.their_reference, i.line_state,
    CASE side WHEN 'ours' THEN i.fee ELSE 0 END, CASE side WHEN 'ours' THEN 0 ELSE i.fee END, i.happened_at,
    CASE side WHEN 'ours' THEN side_told END, CASE side WHEN 'theirs' THEN side_told END, i.id
FROM reconciliation_openitem i
CROSS JOIN LATERAL jsonb_build_object('kind', i.kind, 'reference', i.reference, 'amount', i.amount, 'currency',
    i.currency, 'fee', i.fee, 'happened_at', i.happened_at, 'their_reference', i.their_reference, 'parent', i.parent,
    'text', i.text
) AS side_told
WHERE i.channel = %(channel)s AND i.statement = %(statement)s AND i.cleared_at IS NULL AND i.due_on <= %(due)s
    AND NOT EXISTS (SELECT FROM reconciliation_discrepancy d
        JOIN reconciliation_statementfile f ON f.id = d.file_id
        WHERE d.open_item_id = i.id
            AND (d.kind IN ('missing_there', 'missing_here') OR f.state IN ('MATCHED', 'SETTLED')))
"""


def write_discrepancies(file: StatementFile, terms: Terms) -> None:
    """This will put every difference of the pool into the work queue, once."""
    rate = terms.tariff.rates[0] if terms.tariff else 0
    values: dict[str, Any] = {
        "file": file.pk,
        "old": file.supersedes_id,
        "channel": file.channel,
        "statement": file.kind,
        "late_days": terms.late_days,
    }
    run(_FOUND.format(fee=expected(terms.tariff, "o", rate)), values)
    if file.supersedes_id:
        run(_SAME, values)
    run(_NEW, values)


def raise_due(*, channel: str, statement: str, due: date) -> int:
    """This will open a discrepancy for every item that was due by that day of the provider's; returns how many."""
    return run(_DUE, {"channel": channel, "statement": statement, "due": due})
