"""What must be true of the books and of the audit journal, derived again from the rows.

Set-based and read row by row from the server, so that memory stays flat however large the books are.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.db import connection, models

from ledger.errors import UnknownAccount
from ledger.models import Account, AuditEntry, AuditSeal, BalanceSnapshot, Entry, Transaction
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
        lag(balance, 1, 0::bigint) OVER older AS before,
        lag(through_entry, 1, 0::bigint) OVER older AS after_entry
    FROM ledger_balancesnapshot WINDOW older AS (PARTITION BY account_id ORDER BY through_entry)
) AS step
JOIN ledger_account AS account ON account.id = step.account_id
CROSS JOIN LATERAL (
    SELECT sum(amount) AS total FROM ledger_entry
    WHERE account_id = step.account_id AND id > step.after_entry AND id <= step.through_entry
) AS between_them
WHERE step.balance <> step.before + coalesce(between_them.total, 0)
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
    yield _by_sql("ledger.reversals", Transaction, _NOT_MIRRORED)
    yield _by_sql("ledger.snapshots", BalanceSnapshot, _WRONG_SNAPSHOTS)
    yield "ledger.trial_balance", Account.objects.count(), _trial_balance("ledger.trial_balance")
    yield "ledger.chart", Account.objects.count(), _outside_the_chart("ledger.chart")
    yield "audit.chain", AuditSeal.objects.count(), _first_broken_seal("audit.chain")
    yield _by_sql("audit.sealed", AuditEntry, _SKIPPED_BY_SEALER)


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
        expected = AuditSeal.after(last, seal.entry)
        if seal.sequence != expected.sequence:
            yield Finding(
                name, f"seal {expected.sequence}", "is missing from the chain, or its audit entry is"
            )
            return
        if (seal.previous_hash, seal.hash) != (expected.previous_hash, expected.hash):
            yield Finding(
                name,
                f"seal {seal.sequence} (audit entry {seal.entry_id})",
                f"does not match: {seal.entry} was changed, or the seal was",
            )
            return
        last = seal
