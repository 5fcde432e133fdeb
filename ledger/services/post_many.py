"""Post many transactions at once."""

from collections.abc import Sequence

from django.db import connection

from ledger.errors import Refusal
from ledger.facts import PostedTransaction, Posting
from ledger.models import Transaction

__all__ = ["Posting", "post_many"]


def post_many(*, postings: Sequence[Posting]) -> list[PostedTransaction | Refusal]:
    """This will write each posting as `post` does, all in one statement: a result for each, in their order.

    What `post` would raise for one of them is its result, and the others are written. A business key that
    comes twice was posted before the second time. Needs an open transaction; locks no account.
    """
    assert connection.in_atomic_block, "post_many() belongs to the transaction of what it posts"
    return Transaction.objects.append_many(postings)
