"""`check` finds every way in which the books could be broken from below, and names the row."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from ledger import invariants
from ledger.facts import Entry
from ledger.services.close_day import close_day
from ledger.services.post import post
from ledger.services.record_rate import record_rate
from ledger.services.reverse import reverse
from ledger.services.take_snapshots import take_snapshots
from tests.ledger.books import captured, cny, tamper

pytestmark = pytest.mark.django_db(transaction=True)

_DAY = date(2026, 3, 1)
_MISSING_ROWS_TOO = {
    "ledger.balanced",
    "ledger.closed_days",
    "ledger.day_balances",
    "ledger.day_totals",
    "ledger.fx_rates",
}


@pytest.fixture(autouse=True)
def books(transactional_db: None) -> str:
    """A posting, its reversal, a snapshot, two closed days and a rate. Returns the posting's identifier."""
    posted = captured(100)
    captured(50, key="another")
    with transaction.atomic():
        reverse(business_key="correction", of=posted.id, reason="")
    take_snapshots(at_least=1)
    with transaction.atomic():
        post(
            business_key="long ago",
            reference="ord_1",
            description="",
            entries=[Entry("bank:main", cny(70)), Entry("suspense", cny(-70))],
            on=_DAY,
        )
    close_day(day=_DAY + timedelta(days=1), actor="user:1")
    noon = datetime(2026, 3, 1, 4, tzinfo=UTC)
    record_rate(base="EUR", quote="CNY", rate=Decimal("7.85"), source="test", valid_since=noon)
    return posted.id


def _broken() -> dict[str, list[str]]:
    """Check → the subjects that it names."""
    found: dict[str, list[str]] = {}
    for name, looked_at, findings in invariants.check():
        subjects = [finding.subject for finding in findings]
        assert looked_at >= len(subjects) or name in _MISSING_ROWS_TOO
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
    (f"UPDATE ledger_entry SET posted_on = posted_on - 1 WHERE id = {_FIRST}", "ledger.days_of_entries"),
    (
        """INSERT INTO ledger_unfinished (transactions, entry_counts)
        SELECT ARRAY[id], ARRAY[entry_count] FROM ledger_transaction LIMIT 1""",
        "ledger.unfinished",
    ),
    ("UPDATE ledger_dayclose SET entry_count = 3 WHERE posted_on = '2026-03-01'", "ledger.closed_days"),
    ("UPDATE ledger_dayclose SET posted_on = '2026-02-01' WHERE entry_count = 2", "ledger.closed_days"),
    ("DELETE FROM ledger_dayclose WHERE posted_on = '2026-03-02'", "ledger.closed_days"),
    ("DELETE FROM ledger_dayclose WHERE posted_on = '2026-03-01'", "ledger.closed_days"),
    ("DELETE FROM ledger_daytotal WHERE moved_amount > 0", "ledger.day_totals"),
    ("UPDATE ledger_daytotal SET moved_amount = 71 WHERE moved_amount = 70", "ledger.day_totals"),
    ("UPDATE ledger_daytotal SET balance_amount = 71 WHERE moved_amount = 0", "ledger.day_totals"),
    ("UPDATE ledger_daybalance SET balance = balance * 2", "ledger.day_balances"),
    ("DELETE FROM ledger_daybalance", "ledger.day_balances"),
    (
        """UPDATE ledger_entry SET amount = amount * 2 WHERE posted_on = '2026-03-01'""",
        "ledger.day_balances",
    ),
    ("UPDATE ledger_fxrate SET rate = 7.86", "ledger.fx_rates"),
    ("UPDATE ledger_fxrate SET valid_since = now()", "ledger.fx_rates"),
    ("DELETE FROM ledger_fxrate", "ledger.fx_rates"),
    ("UPDATE ledger_account SET name = 'petty cash' WHERE name = 'bank:main'", "ledger.chart"),
]


@pytest.mark.parametrize(("sql", "check"), _TAMPERINGS)
def test_what_is_broken_is_found(sql: str, check: str) -> None:
    tamper(sql)
    assert check in _broken()


def test_the_broken_transaction_is_named(books: str) -> None:
    tamper(f"UPDATE ledger_entry SET amount = 99 WHERE id = {_FIRST}")
    assert _broken()["ledger.balanced"] == [books]
