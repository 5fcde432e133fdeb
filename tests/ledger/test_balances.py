"""Balances: snapshots and the tail give what the lines give."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Event, Thread, Timer

import pytest
from django.db import connection, models, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import selectors
from ledger.errors import UnknownAccount
from ledger.facts import Entry
from ledger.models import BalanceSnapshot
from ledger.models.numbering import settled_through
from ledger.money import Money
from ledger.rules import CHART
from ledger.services.close_day import close_day
from ledger.services.post import post
from ledger.services.take_snapshots import take_snapshots
from tests.ledger.books import captured, cny, tamper
from tests.patience import PATIENCE

committing = pytest.mark.django_db(transaction=True)


@pytest.mark.django_db
def test_an_account_never_used_is_at_zero() -> None:
    assert selectors.balance("bank:main", "JPY") == Money(0, "JPY")
    with pytest.raises(UnknownAccount):
        selectors.balance("petty cash", "JPY")


@pytest.mark.django_db
def test_a_balance_at_a_time_counts_what_had_happened() -> None:
    noon = timezone.now() - timedelta(days=1)
    for hours, minor in ((-1, 1), (0, 20), (1, 300)):
        with transaction.atomic():
            post(
                business_key=f"at {hours}",
                reference="ord_1",
                description="",
                entries=[Entry("bank:main", cny(minor)), Entry("suspense", cny(-minor))],
                happened_at=noon + timedelta(hours=hours),
            )
    assert selectors.balance("bank:main", "CNY", at=noon) == cny(21)
    assert selectors.balance("bank:main", "CNY") == cny(321)
    assert selectors.balance("bank:other", "CNY", at=noon) == cny(0)


@committing
def test_a_snapshot_and_the_tail_make_the_balance() -> None:
    captured(100)
    assert take_snapshots(at_least=1) == 2
    captured(20, key="later")
    assert selectors.balance("receivable:stripe", "CNY") == cny(120)
    assert take_snapshots(at_least=1) == 2
    assert selectors.balance("receivable:stripe", "CNY") == cny(120)
    assert sorted(BalanceSnapshot.objects.values_list("balance", flat=True)) == [-120, -100, 100, 120]


@committing
def test_snapshots_are_taken_of_what_has_grown() -> None:
    captured()
    assert take_snapshots(at_least=2) == 0
    assert take_snapshots(at_least=1) == 2
    assert take_snapshots(at_least=1) == 0


@committing
def test_snapshots_thrown_away_are_taken_again_alike() -> None:
    captured(100)
    take_snapshots(at_least=1)
    first = sorted(BalanceSnapshot.objects.values_list("account", "through_entry", "balance"))
    BalanceSnapshot.objects.all().delete()
    take_snapshots(at_least=1)
    assert sorted(BalanceSnapshot.objects.values_list("account", "through_entry", "balance")) == first


@committing
def test_a_balance_is_one_statement() -> None:
    for number in range(30):
        captured(key=f"pay_{number}:capture:1")
    take_snapshots(at_least=1)
    captured(key="tail")
    with CaptureQueriesContext(connection) as queries:
        assert selectors.balance("receivable:stripe", "CNY") == cny(3100)
    assert len(queries) == 1


@committing
def test_an_open_transaction_below_is_waited_for_and_never_lost() -> None:
    """The slow one takes its numbers first and commits last: a snapshot through `max(id)` would lose it."""
    captured(1, key="opens the accounts")
    posted, finish = Event(), Event()

    def slow() -> None:
        with transaction.atomic():
            captured(10, key="slow")
            posted.set()
            finish.wait(PATIENCE)
        connection.close()

    thread = Thread(target=slow)
    thread.start()
    assert posted.wait(PATIENCE)
    captured(200, key="quick")
    timer = Timer(0.15, finish.set)
    timer.start()
    assert take_snapshots(at_least=1) == 2
    thread.join(PATIENCE)
    timer.join(PATIENCE)
    assert selectors.balance("receivable:stripe", "CNY") == cny(211)
    assert BalanceSnapshot.objects.filter(balance=211).exists()


def _posted_on(day: date, minor: int, key: str) -> None:
    entries = [Entry("bank:main", cny(minor)), Entry("suspense", cny(-minor))]
    with transaction.atomic():
        post(business_key=key, reference="ord_1", description="", entries=entries, on=day)


@committing
def test_what_follows_a_snapshot_stands_on_days_that_were_open_when_it_was_taken() -> None:
    first, second = date(2026, 3, 1), date(2026, 3, 2)
    for number, day in enumerate((first, second), start=1):
        _posted_on(day, number, f"before {number}")
    close_day(day=first, actor="test")
    take_snapshots(at_least=1)
    assert set(BalanceSnapshot.objects.values_list("last_closed_on", flat=True)) == {first}
    _posted_on(second, 40, "after")
    assert selectors.balance("bank:main", "CNY") == cny(43)
    close_day(day=second, actor="test")
    assert selectors.balance("bank:main", "CNY") == cny(43)
    assert take_snapshots(at_least=1) == 2
    assert selectors.balance("bank:main", "CNY") == cny(43)


@committing
@pytest.mark.parametrize("looked", ["before the numbers", "after them"])
def test_a_day_that_is_closed_while_a_snapshot_is_taken_hides_nothing(
    looked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks for closed days after the numbers loses what was posted between the two."""
    day = date(2026, 3, 1)
    _posted_on(day, 1, "before")

    def meanwhile() -> None:
        try:
            _posted_on(day, 20, "meanwhile")
            close_day(day=day, actor="test")
        finally:
            connection.close()

    def numbers(table: type[models.Model]) -> int | None:
        found = settled_through(table)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(meanwhile).result()
        return found

    monkeypatch.setattr("ledger.services.take_snapshots.settled_through", numbers)
    assert take_snapshots(at_least=1) == 2
    if looked == "after them":
        tamper("UPDATE ledger_balancesnapshot SET last_closed_on = %s", [day])
    assert selectors.balance("bank:main", "CNY") == cny(21 if looked == "before the numbers" else 1)


_PARTS = {name: name + "x" if name.endswith(":") else name for name in CHART}
_LINES = st.lists(
    st.tuples(
        st.sampled_from(sorted(_PARTS.values())),
        st.sampled_from(sorted(_PARTS.values())),
        st.integers(min_value=1, max_value=10**15),
        st.sampled_from(["CNY", "JPY", "BHD"]),
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.django_db
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(postings=st.lists(_LINES, max_size=5))
def test_whatever_is_posted_the_trial_balance_is_zero(
    postings: list[list[tuple[str, str, int, str]]],
) -> None:
    reference = timezone.now().isoformat()
    with transaction.atomic():
        expected: dict[tuple[str, str], int] = {}
        for number, moves in enumerate(postings):
            entries = []
            for debit, credit, minor, currency in moves:
                entries += [Entry(debit, Money(minor, currency)), Entry(credit, Money(-minor, currency))]
            for entry in entries:
                at = (entry.account, entry.amount.currency)
                expected[at] = expected.get(at, 0) + entry.amount.minor
            post(business_key=f"{reference}:{number}", reference=reference, description="", entries=entries)
        trial = selectors.trial_balance()
        assert all(total.minor == 0 for total in trial.totals)
        assert {(row.account, row.balance.currency): row.balance.minor for row in trial.accounts} == expected
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        transaction.set_rollback(True)
