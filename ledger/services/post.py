"""Post a transaction."""

from collections.abc import Sequence
from datetime import date, datetime

from django.db import connection

from ledger.facts import Entry, PostedTransaction
from ledger.models import Transaction
from ledger.models.drafts import Draft
from ledger.rules import refuse_unsound

__all__ = ["Entry", "PostedTransaction", "post"]


def post(
    *,
    business_key: str,
    reference: str,
    description: str,
    entries: Sequence[Entry],
    happened_at: datetime | None = None,
    on: date | None = None,
    alone: bool = False,
) -> PostedTransaction:
    """This will write balanced entries once for `business_key`; the same again returns the first posting.

    What must be the same is the reference and the entries, in any order. Debits are positive, in minor units.
    The accounting day is `on`, else the day of `happened_at`, or the first open day when that one is closed.
    Needs the open transaction of what it posts; `alone`, what belongs to nothing else is a transaction of its own, in
    one round trip, committed when this returns. One statement that locks no account. Raises `UnknownAccount`,
    `UnbalancedPosting`, `BusinessKeyConflict` and, for `on`, `DayClosed`.
    """
    assert connection.in_atomic_block is not alone, (
        "post() belongs to the transaction of what it posts, or is alone"
    )
    refuse_unsound(entries)
    draft = Draft(
        business_key=business_key,
        reference=reference,
        description=description,
        lines=entries,
        happened_at=happened_at,
        on=on,
    )
    return Transaction.objects.append(draft)
