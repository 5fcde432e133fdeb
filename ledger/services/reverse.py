"""Reverse a transaction: the only way to correct the books."""

from django.db import connection

from ledger.errors import TransactionNotFound
from ledger.facts import Entry, PostedTransaction
from ledger.identifiers import MalformedIdentifier, decode
from ledger.models import Transaction
from ledger.models.drafts import Draft


def reverse(*, business_key: str, of: str, reason: str) -> PostedTransaction:
    """This will post the mirror image of transaction `of` ("txn_…"), once; the same again returns the first.

    It is booked today, whatever day it corrects: a closed one stays as it was. Needs an open transaction;
    locks nothing. Raises `TransactionNotFound`, `AlreadyReversed` and `BusinessKeyConflict`.
    """
    assert connection.in_atomic_block, "reverse() belongs to the transaction of what it corrects"
    original = _find(of)
    draft = Draft(
        business_key=business_key,
        reference=original.reference,
        description=reason,
        lines=[Entry(line.account, -line.amount, line.item) for line in original.lines()],
        reverses=original.id,
    )
    return Transaction.objects.append(draft)


def _find(public_id: str) -> Transaction:
    try:
        return Transaction.objects.with_entries().get(id=decode("txn", public_id))
    except (MalformedIdentifier, Transaction.DoesNotExist) as error:
        raise TransactionNotFound(f"there is no transaction {public_id[:60]!r}", param="of") from error
