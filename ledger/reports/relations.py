"""The lines of a cell as SQL: a WITH list that ends in `found`, of (id, transaction_id, posted_on, account, kind, item,
amount, share, key). `share` is what of a line's amount counts for the key: all of it, but for channels.

**Whose sale was it?** A sale names no channel. A line belongs to the channel that its account names
(`channel_fees:<channel>`), else to the one whose receivable or disputed money its transaction moves, else to those that
captured the money of its reference, in proportion to what each captured. What none of it answers has the channel "".
Each line is dealt out so that its shares make the line: all channels together are the whole, to the minor unit.
"""

from datetime import date
from typing import Any

from ledger.reports.cells import By, Cell
from ledger.rules import Kind

Query = tuple[str, list[Any]]

_LINE = """
line AS (
    SELECT entry.id, entry.transaction_id, entry.posted_on, entry.item, entry.amount,
        account.name AS account, account.kind{reference}
    FROM ledger_account AS account
    JOIN ledger_entry AS entry ON entry.account_id = account.id{head}
    WHERE account.currency = %s AND {which} AND entry.posted_on BETWEEN %s AND %s
), """
_HEAD = """
    JOIN ledger_transaction AS head ON head.id = entry.transaction_id"""
_FOUND = """
found AS (SELECT line.*, line.amount AS share, {key} AS key FROM line)"""
_KEYS = {By.WHOLE: "''", By.DAY: "line.posted_on::text", By.ITEM: "line.item", By.ORDER: "line.reference"}
# Line by line through indexes (each OFFSET 0 keeps it so): joins of what was only just gathered are planned blindly.
_BY_CHANNEL = """
found AS (
    SELECT line.*, coalesce(named.channel, part.channel, '') AS key,
        CASE WHEN part.channel IS NULL THEN line.amount
            ELSE round(line.amount * part.through / part.whole)
                - round(line.amount * (part.through - part.amount) / part.whole)
        END::bigint AS share
    FROM line
    CROSS JOIN LATERAL (
        SELECT CASE WHEN starts_with(line.account, 'channel_fees:') THEN split_part(line.account, ':', 2) ELSE (
            SELECT CASE WHEN min(split_part(account.name, ':', 2)) = max(split_part(account.name, ':', 2))
                THEN min(split_part(account.name, ':', 2)) END
            FROM (SELECT account_id FROM ledger_entry WHERE transaction_id = line.transaction_id OFFSET 0) AS entry
            JOIN ledger_account AS account ON account.id = entry.account_id
            WHERE starts_with(account.name, 'receivable:') OR starts_with(account.name, 'disputed:')
        ) END AS channel OFFSET 0
    ) AS named
    LEFT JOIN LATERAL (
        SELECT channel, amount, sum(amount) OVER () AS whole, sum(amount) OVER (ORDER BY channel) AS through
        FROM (
            SELECT split_part(account.name, ':', 2) AS channel, sum(entry.amount) AS amount
            FROM ledger_transaction AS head
            JOIN ledger_entry AS entry ON entry.transaction_id = head.id
            JOIN ledger_account AS account ON account.id = entry.account_id
            WHERE named.channel IS NULL AND line.reference <> '' AND head.reference = line.reference
                AND head.reverses_id IS NULL AND entry.amount > 0 AND entry.currency = %s
                AND starts_with(account.name, 'receivable:')
                AND EXISTS (
                    SELECT FROM ledger_entry AS other JOIN ledger_account AS theirs ON theirs.id = other.account_id
                    WHERE other.transaction_id = head.id AND other.amount < 0
                        AND theirs.name = 'customer_prepayments'
                )
            GROUP BY split_part(account.name, ':', 2)
        ) AS captured
    ) AS part ON true
)"""
_BEGINNING = date(1, 1, 1)


def lines_by(cell: Cell) -> Query:
    """The lines of all keys of `cell.by` but for ages, whatever `cell.key` says."""
    which, value = _which(cell)
    needs_reference = cell.by in (By.ORDER, By.CHANNEL)
    line = _LINE.format(
        which=which,
        reference=", head.reference" if needs_reference else "",
        head=_HEAD if needs_reference else "",
    )
    values = [cell.currency, value, cell.first or _BEGINNING, cell.last]
    if cell.by == By.CHANNEL:
        return line + _BY_CHANNEL, [*values, cell.currency]
    return line + _FOUND.format(key=_KEYS[cell.by]), values


def _which(cell: Cell) -> tuple[str, Any]:
    if cell.account.endswith(":"):
        return "starts_with(account.name, %s)", cell.account
    if cell.account:
        return "account.name = %s", cell.account
    return "account.kind = ANY(%s)", [cell.kind] if cell.kind else [Kind.INCOME.value, Kind.EXPENSE.value]
