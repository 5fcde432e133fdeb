"""`check` finds every way in which the books could be broken from below, and names the row."""

import pytest
from django.db import transaction

from ledger import invariants
from ledger.services.reverse import reverse
from ledger.services.take_snapshots import take_snapshots
from tests.ledger.books import captured, tamper

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def books(transactional_db: None) -> str:
    """A posting, its reversal and a snapshot. Returns the posting's identifier."""
    posted = captured(100)
    captured(50, key="another")
    with transaction.atomic():
        reverse(business_key="correction", of=posted.id, reason="")
    take_snapshots(at_least=1)
    return posted.id


def _broken() -> dict[str, list[str]]:
    """Check → the subjects that it names."""
    found: dict[str, list[str]] = {}
    for name, looked_at, findings in invariants.check():
        subjects = [finding.subject for finding in findings]
        assert looked_at >= len(subjects) or name == "ledger.balanced"
        if subjects:
            found[name] = subjects
    return found


def test_sound_books_have_no_findings() -> None:
    assert _broken() == {}


_FIRST = "(SELECT min(id) FROM ledger_entry)"
_TAMPERINGS = [
    (f"UPDATE ledger_entry SET amount = 99 WHERE id = {_FIRST}", "ledger.balanced"),
    (f"DELETE FROM ledger_entry WHERE id = {_FIRST}", "ledger.balanced"),
    ("DELETE FROM ledger_entry", "ledger.balanced"),
    ("DELETE FROM ledger_transaction", "ledger.balanced"),
    (f"UPDATE ledger_entry SET currency = 'USD' WHERE id = {_FIRST}", "ledger.accounts_of_entries"),
    ("DELETE FROM ledger_account", "ledger.accounts_of_entries"),
    (
        """UPDATE ledger_entry SET amount = amount * 2
        WHERE transaction_id = (SELECT id FROM ledger_transaction WHERE reverses_id IS NOT NULL)""",
        "ledger.reversals",
    ),
    ("UPDATE ledger_balancesnapshot SET balance = balance + 1", "ledger.snapshots"),
    ("UPDATE ledger_balancesnapshot SET balance = balance + abs(balance)", "ledger.trial_balance"),
    ("UPDATE ledger_account SET kind = 'income'", "ledger.chart"),
    ("UPDATE ledger_account SET name = 'petty cash' WHERE kind = 'asset'", "ledger.chart"),
]


@pytest.mark.parametrize(("sql", "check"), _TAMPERINGS)
def test_what_is_broken_is_found(sql: str, check: str) -> None:
    tamper(sql)
    assert check in _broken()


def test_the_broken_transaction_is_named(books: str) -> None:
    tamper(f"UPDATE ledger_entry SET amount = 99 WHERE id = {_FIRST}")
    assert _broken()["ledger.balanced"] == [books]
