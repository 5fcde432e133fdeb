"""Post a transaction."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from ledger.errors import UnbalancedPosting
from ledger.facts import Entry, PostedTransaction
from ledger.identifiers import encode
from ledger.models import Transaction
from ledger.rules import kind_of

__all__ = ["Entry", "PostedTransaction", "post"]


def post(
    *,
    business_key: str,
    reference: str,
    description: str,
    entries: Sequence[Entry],
    happened_at: datetime | None = None,
) -> PostedTransaction:
    """This will write balanced entries once for `business_key`; the same again returns the first posting.

    What must be the same is the reference and the entries, in any order. Debits are positive, in minor units.
    Needs an open transaction; one statement that locks no account. Raises `UnknownAccount`,
    `UnbalancedPosting` and `BusinessKeyConflict`.
    """
    assert connection.in_atomic_block, "post() belongs to the transaction of what it posts"
    _refuse_unbalanced(entries)
    for entry in entries:
        kind_of(entry.account)
    key, created = Transaction.objects.append(
        business_key=business_key,
        reference=reference,
        description=description,
        lines=entries,
        happened_at=happened_at,
    )
    return PostedTransaction(id=encode("txn", key), business_key=business_key, created=created)


def _refuse_unbalanced(entries: Sequence[Entry]) -> None:
    """The database refuses the same at commit; here the message still reaches whoever made the mistake."""
    if len(entries) < 2:
        raise UnbalancedPosting("a posting needs two entries or more", param="entries")
    sums: dict[str, int] = defaultdict(int)
    for entry in entries:
        if entry.amount.minor == 0:
            raise UnbalancedPosting(f"leave out the entry of zero for {entry.account}", param="entries")
        sums[entry.amount.currency] += entry.amount.minor
    if unbalanced := {currency: total for currency, total in sums.items() if total}:
        raise UnbalancedPosting(f"debits and credits differ by {unbalanced} minor units", param="entries")
