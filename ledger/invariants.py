"""What must be true of the books and of the audit journal, derived again from the rows.

Set-based and read row by row from the server, so that memory stays flat however large the books are.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from django.db import connection, models

from ledger import anchors
from ledger.anchors import Anchor
from ledger.errors import UnknownAccount
from ledger.models import (
    Account,
    AuditEntry,
    AuditSeal,
    BalanceSnapshot,
    DayBalance,
    DayClose,
    DayTotal,
    Entry,
    FxRate,
    Transaction,
    Unfinished,
)
from ledger.rules import kind_of

_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that breaks a check: `subject` names the row, `detail` says how."""

    check: str
    subject: str
    detail: str


# The check's name, how many rows it looked at, and what breaks it.
Check: TypeAlias = tuple[str, int, Iterable[Finding]]

# Each returns (subject, detail) of the broken rows and nothing of the sound ones.
_UNBALANCED = """
SELECT ledger_public_id('txn', coalesce(head.id, sums.transaction_id)),
    format('says %s entries, has %s; out of balance: %s',
        coalesce(head.entry_count, 0), coalesce(sums.lines, 0), coalesce(sums.unbalanced, 'nothing'))
FROM ledger_transaction AS head
FULL JOIN (
    SELECT transaction_id, sum(lines) AS lines,
        string_agg(currency || ' ' || total, ', ') FILTER (WHERE total <> 0) AS unbalanced
    FROM (
        SELECT transaction_id, currency, count(*) AS lines, sum(amount) AS total
        FROM ledger_entry GROUP BY transaction_id, currency
    ) AS by_currency
    GROUP BY transaction_id
) AS sums ON sums.transaction_id = head.id
WHERE sums.lines IS DISTINCT FROM head.entry_count OR sums.unbalanced IS NOT NULL
"""
_STRAY = """
SELECT 'entry ' || entry.id, 'its account does not exist in ' || entry.currency
FROM ledger_entry AS entry
LEFT JOIN ledger_account AS account ON account.id = entry.account_id AND account.currency = entry.currency
WHERE account.id IS NULL
"""
_NOT_MIRRORED = """
SELECT ledger_public_id('txn', head.id), 'is not the mirror image of what it reverses'
FROM ledger_transaction AS head
WHERE head.reverses_id IS NOT NULL AND EXISTS (
    SELECT account_id, sum(amount) FROM ledger_entry
    WHERE transaction_id IN (head.id, head.reverses_id)
    GROUP BY account_id HAVING sum(amount) <> 0
)
"""
# Between one snapshot and the next lie exactly the entries that make the difference.
_WRONG_SNAPSHOTS = """
SELECT 'snapshot of ' || account.name || ' ' || account.currency || ' through entry ' || step.through_entry,
    format('says %s, the entries say %s', step.balance, step.before + coalesce(between_them.total, 0))
FROM (
    SELECT account_id, through_entry, balance,
        lag(last_closed_on) OVER older AS closed,
        lag(balance, 1, 0::bigint) OVER older AS before,
        lag(through_entry, 1, 0::bigint) OVER older AS after_entry
    FROM ledger_balancesnapshot WINDOW older AS (PARTITION BY account_id ORDER BY through_entry)
) AS step
JOIN ledger_account AS account ON account.id = step.account_id
CROSS JOIN LATERAL (
    SELECT sum(amount) AS total FROM ledger_entry
    WHERE account_id = step.account_id AND id > step.after_entry AND id <= step.through_entry
        AND posted_on > coalesce(step.closed, '-infinity')
) AS between_them
WHERE step.balance <> step.before + coalesce(between_them.total, 0)
"""
_OTHER_DAY = """
SELECT 'entry ' || entry.id, format('stands on %s, its transaction on %s', entry.posted_on, head.posted_on)
FROM ledger_entry AS entry JOIN ledger_transaction AS head ON head.id = entry.transaction_id
WHERE entry.posted_on <> head.posted_on
"""
_UNFINISHED = """
SELECT ledger_public_id('txn', unnest(transactions)), 'was committed before it was checked' FROM ledger_unfinished
"""
# What the entries say of the days that are closed, against what was kept at the close and what was put on record.
_WRONG_CLOSES = """
WITH derived AS (
    SELECT posted_on, count(*) AS entries FROM ledger_entry
    WHERE posted_on <= (SELECT max(posted_on) FROM ledger_dayclose) GROUP BY posted_on
), kept AS (
    SELECT posted_on, entry_count, posted_on - lag(posted_on, 1, posted_on - 1) OVER (ORDER BY posted_on) AS step
    FROM ledger_dayclose
), recorded AS (
    SELECT object_id::date AS posted_on FROM ledger_auditentry WHERE action = 'day.close'
)
SELECT 'day ' || posted_on, CASE
    WHEN kept.entry_count IS NULL AND recorded.posted_on IS NULL THEN 'has entries and is open before a closed day'
    WHEN kept.entry_count IS NULL THEN 'was closed and is open again'
    WHEN recorded.posted_on IS NULL THEN 'is closed, and nobody is on record for it'
    WHEN kept.step <> 1 THEN 'is closed, and the day before it is not'
    ELSE format('was closed with %s entries and has %s', kept.entry_count, coalesce(derived.entries, 0)) END
FROM kept FULL JOIN derived USING (posted_on) FULL JOIN recorded USING (posted_on)
WHERE kept.entry_count IS DISTINCT FROM coalesce(derived.entries, 0) OR recorded.posted_on IS NULL OR kept.step <> 1
"""
_WRONG_TOTALS = """
WITH moved AS (
    SELECT posted_on, currency, sum(greatest(amount, 0)) AS amount FROM ledger_entry
    WHERE posted_on <= (SELECT max(posted_on) FROM ledger_dayclose) GROUP BY posted_on, currency
), stood AS (
    SELECT posted_on, currency, sum(greatest(balance, 0) - greatest(before, 0)) AS amount FROM (
        SELECT posted_on, currency, balance,
            lag(balance, 1, 0::bigint) OVER (PARTITION BY account_id ORDER BY posted_on) AS before
        FROM ledger_daybalance
    ) AS step GROUP BY posted_on, currency
), kept AS (
    SELECT head.posted_on, total.currency, total.moved_amount, total.balance_amount
    FROM ledger_daytotal AS total JOIN ledger_dayclose AS head ON head.id = total.close_id
), compared AS (
    SELECT posted_on, currency, kept.moved_amount, kept.balance_amount, coalesce(moved.amount, 0) AS moved,
        sum(stood.amount) OVER (PARTITION BY currency ORDER BY posted_on) AS stood
    FROM kept FULL JOIN moved USING (posted_on, currency) FULL JOIN stood USING (posted_on, currency)
)
SELECT 'total of day ' || posted_on || ' in ' || currency,
    format('says %s moved and %s stand, the entries say %s and %s', coalesce(moved_amount, 0),
        coalesce(balance_amount, 0), moved, coalesce(stood, 0))
FROM compared WHERE moved_amount IS DISTINCT FROM moved OR balance_amount IS DISTINCT FROM coalesce(stood, 0)
"""
_WRONG_DAY_BALANCES = """
WITH derived AS (
    SELECT account_id, posted_on, sum(sum(amount)) OVER (PARTITION BY account_id ORDER BY posted_on) AS balance
    FROM ledger_entry WHERE posted_on <= (SELECT max(posted_on) FROM ledger_dayclose)
    GROUP BY account_id, posted_on
)
SELECT format('balance of %s %s on %s', account.name, account.currency, posted_on),
    format('says %s, the entries say %s', coalesce(kept.balance::text, 'nothing'),
        coalesce(derived.balance::text, 'nothing'))
FROM ledger_daybalance AS kept FULL JOIN derived USING (account_id, posted_on)
LEFT JOIN ledger_account AS account ON account.id = account_id
WHERE kept.balance IS DISTINCT FROM derived.balance
"""
# A rate is what was put on record when it was told.
_WRONG_RATES = """
WITH recorded AS (
    SELECT object_id, after ->> 'pair' AS pair, after ->> 'rate' AS rate,
        (after ->> 'since')::timestamptz AS valid_since
    FROM ledger_auditentry WHERE action = 'fx_rate.record'
), kept AS (
    SELECT ledger_public_id('fxr', id) AS object_id, base || '/' || quote AS pair, rate::text AS rate, valid_since
    FROM ledger_fxrate
)
SELECT object_id, format('says %s %s, on record is %s %s', kept.pair, kept.rate, recorded.pair, recorded.rate)
FROM kept FULL JOIN recorded USING (object_id)
WHERE (kept.pair, kept.rate, kept.valid_since) IS DISTINCT FROM (recorded.pair, recorded.rate, recorded.valid_since)
"""
_SKIPPED_BY_SEALER = """
SELECT 'audit entry ' || entry.id, 'has no seal, though later entries have one'
FROM ledger_auditentry AS entry
WHERE entry.id < (SELECT max(entry_id) FROM ledger_auditseal)
    AND NOT EXISTS (SELECT FROM ledger_auditseal AS seal WHERE seal.entry_id = entry.id)
"""


def check() -> Iterator[Check]:
    """This will look at every row of the books and of the audit journal."""
    yield _by_sql("ledger.balanced", Transaction, _UNBALANCED)
    yield _by_sql("ledger.accounts_of_entries", Entry, _STRAY)
    yield _by_sql("ledger.days_of_entries", Entry, _OTHER_DAY)
    yield _by_sql("ledger.unfinished", Unfinished, _UNFINISHED)
    yield _by_sql("ledger.reversals", Transaction, _NOT_MIRRORED)
    yield _by_sql("ledger.snapshots", BalanceSnapshot, _WRONG_SNAPSHOTS)
    yield _by_sql("ledger.closed_days", DayClose, _WRONG_CLOSES)
    yield _by_sql("ledger.day_totals", DayTotal, _WRONG_TOTALS)
    yield _by_sql("ledger.day_balances", DayBalance, _WRONG_DAY_BALANCES)
    yield _by_sql("ledger.fx_rates", FxRate, _WRONG_RATES)
    yield "ledger.trial_balance", Account.objects.count(), _trial_balance("ledger.trial_balance")
    yield "ledger.chart", Account.objects.count(), _outside_the_chart("ledger.chart")
    yield from check_audit(anchors.directory())


def check_audit(folder: Path) -> Iterator[Check]:
    """The audit journal alone, against the anchors in `folder`."""
    yield "audit.chain", AuditSeal.objects.count(), _first_broken_seal("audit.chain")
    yield _by_sql("audit.sealed", AuditEntry, _SKIPPED_BY_SEALER)
    told = sum(1 for _ in anchors.read(folder))
    yield "audit.anchors", told, _broken_anchors("audit.anchors", folder)


def _by_sql(name: str, table: type[models.Model], sql: str) -> Check:
    return name, table._default_manager.count(), (Finding(name, *row) for row in _rows(sql))


def _rows(sql: str) -> Iterator[tuple[Any, ...]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql)
        while rows := cursor.fetchmany(_CHUNK):
            yield from rows


def _trial_balance(name: str) -> Iterator[Finding]:
    """By the way that balances are read, so a snapshot that lies shows here too."""
    totals: dict[str, int] = {}
    for account, minor in Account.objects.all().balances():
        totals[account.currency] = totals.get(account.currency, 0) + minor
    for currency, total in totals.items():
        if total:
            yield Finding(name, currency, f"all accounts together are {total} minor units and not zero")


def _outside_the_chart(name: str) -> Iterator[Finding]:
    for account in Account.objects.iterator(_CHUNK):
        try:
            kind: str = kind_of(account.name)
        except UnknownAccount:
            kind = "not in the chart"
        if account.kind != kind:
            yield Finding(name, str(account), f"is {account.kind}, the chart says {kind}")


def _first_broken_seal(name: str) -> Iterator[Finding]:
    """Walk the chain to the first link that does not hold. What comes after it proves nothing."""
    last: AuditSeal | None = None
    for seal in AuditSeal.objects.select_related("entry").order_by("sequence").iterator(_CHUNK):
        expected = last.sequence + 1 if last else 1
        if seal.sequence != expected:
            yield Finding(name, f"seal {expected}", "is missing from the chain, or its audit entry is")
            return
        if fault := seal.fault(last):
            yield Finding(name, f"seal {seal.sequence} (audit entry {seal.entry_id})", fault)
            return
        last = seal


def _broken_anchors(name: str, folder: Path) -> Iterator[Finding]:
    """The anchors are ours and complete, and the chain still goes through each of them."""
    lines = anchors.read(folder)
    before: Anchor | None = None
    while chunk := list(islice(lines, _CHUNK)):
        places = [anchor.sequence for _, anchor in chunk if anchor]
        there = dict(AuditSeal.objects.filter(sequence__in=places).values_list("sequence", "hash"))
        for number, anchor in chunk:
            if fault := _fault_of(anchor, before, there):
                subject = f"anchor of {anchor.day}" if anchor else "anchor"
                yield Finding(name, f"{subject} (line {number})", fault)
            before = anchor or before


def _fault_of(anchor: Anchor | None, before: Anchor | None, there: Mapping[int, str]) -> str:
    if anchor is None or not anchor.is_genuine():
        return "is not what was written: changed, cut, or signed under a key that is not known"
    if anchor.previous != (before.signature if before else ""):
        return "does not follow the line before it: one was taken out or changed"
    found = there.get(anchor.sequence)
    if found is None:
        return f"tells of seal {anchor.sequence}, which the chain does not have: it was cut"
    if found != anchor.hash:
        return f"tells of seal {anchor.sequence} as {anchor.hash[:16]}…, the chain has {found[:16]}…: it was rewritten"
    return ""
