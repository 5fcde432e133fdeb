"""Corrections are reversals."""

import pytest
from django.db import transaction

from ledger import selectors
from ledger.errors import AlreadyReversed, BusinessKeyConflict, TransactionNotFound
from ledger.facts import PostedTransaction
from ledger.services.reverse import reverse
from tests.ledger.books import captured, cny, nothing_moves

pytestmark = pytest.mark.django_db


def _reversed(of: str, key: str = "correction:1") -> PostedTransaction:
    with transaction.atomic():
        return reverse(business_key=key, of=of, reason="posted by mistake")


def test_a_reversal_brings_the_balances_back_and_says_what_it_reverses() -> None:
    original = captured(300)
    posted = _reversed(original.id)
    first, second = selectors.transactions_of("ord_1")
    assert (second.id, second.reverses, second.description) == (posted.id, first.id, "posted by mistake")
    assert [line.amount for line in second.entries] == [-line.amount for line in first.entries]
    assert selectors.balance("receivable:stripe", "CNY") == cny(0)


def test_the_same_reversal_again_returns_the_first() -> None:
    original = captured()
    first = _reversed(original.id)
    with nothing_moves():
        again = _reversed(original.id)
    assert (again.id, again.created) == (first.id, False)


def test_a_transaction_is_reversed_once() -> None:
    original = captured()
    _reversed(original.id)
    with nothing_moves(), pytest.raises(AlreadyReversed):
        _reversed(original.id, key="correction:2")


def test_a_key_of_another_posting_is_refused() -> None:
    original = captured()
    captured(key="correction:1")
    with nothing_moves(), pytest.raises(BusinessKeyConflict):
        _reversed(original.id)


def test_a_reversal_can_be_reversed() -> None:
    captured(300)
    (original,) = selectors.transactions_of("ord_1")
    undone = _reversed(original.id)
    _reversed(undone.id, key="correction:2")
    assert selectors.balance("receivable:stripe", "CNY") == cny(300)


@pytest.mark.parametrize("unknown", ["", "pay_1", "txn_1", "txn_" + "0" * 26])
def test_an_unknown_transaction_is_refused(unknown: str) -> None:
    with nothing_moves(), pytest.raises(TransactionNotFound):
        _reversed(unknown)
