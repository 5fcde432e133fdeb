"""What must be true of discrepancies, derived again from the rows."""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice

from django.db import connection
from django.db.models import F, Q, QuerySet

from ledger.facts import Entry
from ledger.invariants import Check, Finding
from ledger.selectors import entries_by_key
from reconciliation.matching import difference
from reconciliation.models import Discrepancy, OpenItem, Repair, StatementFile, StatementTotal
from reconciliation.selectors import view_of
from reconciliation.states import CLOSED, DiscrepancyState, RepairKind, RepairState

_CHUNK = 2000
_STOOD = [RepairState.DONE.value, RepairState.UNDONE.value]
_ARCHIVES = "reconciliation.archives"
# Each returns (subject, detail) of the broken rows and nothing of the sound ones.
_WRONG_IN_FILES = """
SELECT ledger_public_id('dis', id), format('%s puts %s at risk, derived %s', kind, amount_at_risk, derived) FROM (
    SELECT id, kind, amount_at_risk, CASE
        WHEN kind = 'amount' THEN abs(told_amount - amount)
        WHEN kind IN ('currency', 'missing_there') THEN abs(amount)
        WHEN kind IN ('missing_here', 'duplicate') THEN abs(told_amount)
        WHEN kind = 'late' THEN 0
        WHEN kind = 'fee' THEN (abs(told_fee - fee) + 999) / 1000
        ELSE amount_at_risk END AS derived
    FROM reconciliation_discrepancy WHERE file_id IS NOT NULL
) AS told WHERE amount_at_risk <> derived
"""
_TOTALS = """
SELECT ledger_public_id('stm', file_id), format('%s %s: theirs and its parts lie %s rows, %s and a fee of %s apart',
    kind, currency, sum(sign * count), sum(sign * amount), sum(sign * fee))
FROM (SELECT *, CASE part WHEN 'theirs' THEN 1 ELSE -1 END AS sign FROM reconciliation_statementtotal) AS signed
GROUP BY file_id, kind, currency
HAVING sum(sign * count) <> 0 OR sum(sign * amount) <> 0 OR sum(sign * fee) <> 0
"""
_ROWS = """
SELECT ledger_public_id('stm', f.id), format('says %s rows, its totals %s', f.rows, coalesce(sum(t.count), 0))
FROM reconciliation_statementfile f
LEFT JOIN reconciliation_statementtotal t ON t.file_id = f.id AND t.part = 'theirs'
WHERE f.matched_at IS NOT NULL GROUP BY f.id HAVING f.rows <> coalesce(sum(t.count), 0)
"""
# A difference whose item was explained is closed, and what is open and was due for days is told.
_ITEMS = """
SELECT ledger_public_id('dis', d.id), 'is open although ' || ledger_public_id('opn', i.id) || ' is explained: ' || i.how
FROM reconciliation_discrepancy d JOIN reconciliation_openitem i ON i.id = d.open_item_id
WHERE i.cleared_at IS NOT NULL AND d.state NOT IN ('RESOLVED', 'WRITTEN_OFF')
"""


def check() -> Iterator[Check]:
    """This will look at every discrepancy, and at every statement with its totals and its bytes."""
    rows = Discrepancy.objects.all()
    yield "reconciliation.amount_at_risk", rows.count(), _wrong_amounts("reconciliation.amount_at_risk")
    yield _ARCHIVES, StatementFile.objects.count(), _archives()
    for name, sql, counted in (
        ("reconciliation.totals", _TOTALS, StatementTotal),
        ("reconciliation.rows_of_statements", _ROWS, StatementFile),
        ("reconciliation.explained_items", _ITEMS, OpenItem),
    ):
        yield name, counted.objects.count(), _findings(name, sql)
    for name, broken, detail in (
        ("reconciliation.closed_by_someone", _closed_by_nobody(), "is closed without a person and a reason"),
        ("reconciliation.written_off_by_two", _written_off_by_one(), "was written off by one person alone"),
    ):
        found = (Finding(name, row.public_id, detail) for row in broken.iterator(_CHUNK))
        yield name, rows.filter(state__in=CLOSED).count(), found
    repairs = Repair.objects.filter(state__in=_STOOD)
    name = "reconciliation.repairs_posted"
    yield name, repairs.count(), _wrong_repairs(name)
    alone = repairs.filter(needs_second=True).filter(Q(approved_by="") | Q(approved_by=F("proposed_by")))
    name = "reconciliation.repaired_by_two"
    found = (Finding(name, row.public_id, "was agreed to by nobody else") for row in alone.iterator(_CHUNK))
    yield name, repairs.filter(needs_second=True).count(), found


def _wrong_repairs(name: str) -> Iterator[Finding]:
    """A repair posted what it says, once, and one that was undone is reversed."""
    rows = Repair.objects.filter(state__in=_STOOD).exclude(posting_key="").order_by("pk")
    for chunk in _batched(rows.iterator(_CHUNK)):
        keys = [row.posting_key for row in chunk]
        known = entries_by_key([*keys, *(f"{key}:undone" for key in keys)])
        for row in chunk:
            if detail := _wrong(row, known):
                yield Finding(name, row.public_id, detail)


def _wrong(row: Repair, known: dict[str, tuple[Entry, ...]]) -> str:
    entries = known.get(row.posting_key)
    if entries is None:
        return f"says it posted {row.posting_key}, and that is not in the journal"
    told = [one.amount.minor for one in entries if one.amount.currency == row.currency]
    moved = sum(minor for minor in told if minor > 0)
    if row.kind != RepairKind.FORCE_MATCH and moved != row.amount:
        return f"says it moved {row.amount} {row.currency}, and the journal says {moved}"
    reversed_ = f"{row.posting_key}:undone" in known
    if reversed_ != (row.state == RepairState.UNDONE):
        return f"is {row.state}, and its posting is {'' if reversed_ else 'not '}reversed"
    return ""


def _batched(rows: Iterable[Repair]) -> Iterator[list[Repair]]:
    """In lists of a chunk's length."""
    left = iter(rows)
    while chunk := list(islice(left, _CHUNK)):
        yield chunk


def _closed_by_nobody() -> QuerySet[Discrepancy]:
    nameless = Q(closed_by="") | Q(reason="") | Q(closed_at=None)
    return Discrepancy.objects.filter(nameless, state__in=CLOSED)


def _written_off_by_one() -> QuerySet[Discrepancy]:
    alone = Q(write_off_proposed_by="") | Q(write_off_proposed_by=F("closed_by"))
    return Discrepancy.objects.filter(alone, state=DiscrepancyState.WRITTEN_OFF)


def _wrong_amounts(name: str) -> Iterator[Finding]:
    for row in Discrepancy.objects.filter(file=None).iterator(_CHUNK):
        view = view_of(row)
        kind, at_risk = difference(view.ours, view.told)
        if (row.kind, view.at_risk) != (kind, at_risk):
            yield Finding(name, row.public_id, f"says {row.kind} {view.at_risk}, derived {kind} {at_risk}")
    yield from _findings(name, _WRONG_IN_FILES)


def _findings(name: str, sql: str) -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        while rows := cursor.fetchmany(_CHUNK):
            for subject, detail in rows:
                yield Finding(name, subject, detail)


def _archives() -> Iterator[Finding]:
    """Each piece once; memory holds one of them at a time."""
    for file in StatementFile.objects.iterator(_CHUNK):
        known, size = hashlib.sha256(), 0
        for number in range(file.chunks.count()):
            content = file.chunks.filter(number=number).values_list("content", flat=True).first() or b""
            known.update(content)
            size += len(content)
        if (known.hexdigest(), size) != (file.sha256, file.size):
            yield Finding(_ARCHIVES, file.public_id, "is not archived as it came")
