"""Post many transactions at once."""

from collections.abc import Iterator, Sequence

from django.db import connection

from ledger.errors import Refusal
from ledger.facts import PostedTransaction, Posting
from ledger.models import Transaction
from ledger.models.drafts import Answer, Draft
from ledger.rules import refuse_unsound

__all__ = ["Posting", "post_many"]


def post_many(*, postings: Sequence[Posting]) -> list[PostedTransaction | Refusal]:
    """This will write each posting as `post` does, all in one statement: a result for each, in their order.

    What `post` would raise for one of them is its result, and the others are written. A business key that
    comes twice was posted before the second time. Needs an open transaction; locks no account.
    """
    assert connection.in_atomic_block, "post_many() belongs to the transaction of what it posts"
    unsound = [_unsound(posting) for posting in postings]
    drafts = [_draft(posting) for posting, refusal in zip(postings, unsound, strict=True) if not refusal]
    answers = iter(Transaction.objects.append(drafts) if drafts else ())
    return [refusal or _result(posting, answers) for posting, refusal in zip(postings, unsound, strict=True)]


def _unsound(posting: Posting) -> Refusal | None:
    try:
        refuse_unsound(posting.entries)
    except Refusal as refusal:
        return refusal
    return None


def _draft(posting: Posting) -> Draft:
    return Draft(
        business_key=posting.business_key,
        reference=posting.reference,
        description=posting.description,
        lines=posting.entries,
        happened_at=posting.happened_at,
        on=posting.on,
    )


def _result(posting: Posting, answers: Iterator[Answer]) -> PostedTransaction | Refusal:
    answer = next(answers)
    if isinstance(answer, Refusal):
        return answer
    key, created = answer
    return PostedTransaction(key=key, business_key=posting.business_key, created=created)
