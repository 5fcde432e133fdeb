"""Posting: once for a business key, balanced, into the chart, in one statement."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Barrier, Thread
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from ledger import selectors
from ledger.errors import BusinessKeyConflict, Refusal, UnbalancedPosting, UnknownAccount
from ledger.facts import Entry, PostedTransaction
from ledger.models import Account, Transaction
from ledger.money import Money
from ledger.services.post import post
from tests.ledger.books import captured, cny, nothing_moves
from tests.patience import PATIENCE
from tests.round_trips import round_trips

pytestmark = pytest.mark.django_db


def test_a_posting_can_be_read_back() -> None:
    happened_at = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
    entries = (Entry("receivable:stripe", cny(100)), Entry("customer_prepayments", cny(-100)))
    with transaction.atomic():
        posted = post(
            business_key="pay_1:capture:1",
            reference="ord_1",
            description="captured",
            entries=entries,
            happened_at=happened_at,
        )
    (view,) = selectors.transactions_of("ord_1")
    assert posted.created and posted.id.startswith("txn_")
    assert view == selectors.transaction(posted.id)
    assert (view.business_key, view.entries, view.happened_at) == ("pay_1:capture:1", entries, happened_at)
    assert view.created_at > happened_at


def test_the_same_key_and_content_returns_the_first() -> None:
    first = captured()
    with nothing_moves():
        again = captured()
    assert (again.id, again.created) == (first.id, False)


@pytest.mark.parametrize(("minor", "reference"), [(101, "ord_1"), (100, "ord_2")])
def test_the_same_key_with_other_content_is_refused(minor: int, reference: str) -> None:
    captured()
    with nothing_moves(), pytest.raises(BusinessKeyConflict) as refusal:
        captured(minor, reference=reference)
    assert (refusal.value.status, refusal.value.context) == (409, {"business_key": "pay_1:capture:1"})


def test_the_order_of_entries_is_not_content() -> None:
    first = captured()
    with transaction.atomic():
        again = post(
            business_key="pay_1:capture:1",
            reference="ord_1",
            description="told otherwise",
            entries=[Entry("customer_prepayments", cny(-100)), Entry("receivable:stripe", cny(100))],
        )
    assert (again.id, again.created) == (first.id, False)


_UNBALANCED = [
    [],
    [Entry("suspense", cny(0))],
    [Entry("suspense", cny(1))],
    [Entry("suspense", cny(1)), Entry("sales", cny(-2))],
    [Entry("suspense", cny(1)), Entry("sales", Money(-1, "USD"))],
    [Entry("suspense", cny(1)), Entry("sales", cny(-1)), Entry("fx", cny(0))],
]


@pytest.mark.parametrize("entries", _UNBALANCED)
def test_what_does_not_balance_is_refused(entries: list[Entry]) -> None:
    with nothing_moves(), pytest.raises(UnbalancedPosting), transaction.atomic():
        post(business_key="k", reference="ord_1", description="", entries=entries)


@pytest.mark.parametrize(
    "name", ["", "cash", "receivable", "receivable:", "sales:eu", "bank:a b", "bank:" + "x" * 65]
)
def test_an_account_outside_the_chart_is_refused(name: str) -> None:
    with nothing_moves(), pytest.raises(UnknownAccount), transaction.atomic():
        entries = [Entry(name, cny(1)), Entry("sales", cny(-1))]
        post(business_key="k", reference="ord_1", description="", entries=entries)
    assert not Account.objects.exists()


def test_accounts_are_opened_with_the_kind_of_the_chart_once_a_currency() -> None:
    captured()
    captured(key="other")
    assert sorted(Account.objects.values_list("name", "currency", "kind")) == [
        ("customer_prepayments", "CNY", "liability"),
        ("receivable:stripe", "CNY", "asset"),
    ]


def test_two_currencies_balance_each_for_itself() -> None:
    with transaction.atomic():
        post(
            business_key="exchange",
            reference="ord_1",
            description="",
            entries=[
                Entry("bank:usd", Money(100, "USD")),
                Entry("fx", Money(-100, "USD")),
                Entry("fx", cny(720)),
                Entry("bank:cny", cny(-720)),
            ],
        )
    assert selectors.balance("fx", "USD") == Money(-100, "USD")
    assert selectors.balance("fx", "CNY") == cny(720)


def test_a_posting_is_one_statement() -> None:
    captured(key="opens the accounts")
    with (
        CaptureQueriesContext(
            connection,
        ) as queries,
        transaction.atomic(),
    ):
        entries = [Entry("receivable:stripe", cny(5)), Entry("customer_prepayments", cny(-5))]
        post(business_key="k", reference="ord_1", description="", entries=entries)
        assert len([query for query in queries if "SAVEPOINT" not in query["sql"]]) == 1


def test_opening_accounts_costs_two_more() -> None:
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        entries = [Entry("receivable:new", cny(5)), Entry("customer_prepayments", cny(-5))]
        post(business_key="k", reference="ord_1", description="", entries=entries)
        assert len([query for query in queries if "SAVEPOINT" not in query["sql"]]) == 3


@pytest.mark.django_db(transaction=True)
def test_posting_needs_an_open_transaction() -> None:
    with pytest.raises(AssertionError, match="transaction"):
        post(business_key="k", reference="ord_1", description="", entries=[])


@pytest.mark.django_db(transaction=True)
class TestAlone:
    """A posting that belongs to nothing else is a transaction of its own."""

    def test_it_is_committed_when_it_returns(self) -> None:
        posted = post(business_key="k", reference="ord_1", description="", entries=_SALE, alone=True)
        assert not connection.in_atomic_block and posted.created
        assert _seen_by_others("k")
        again = post(business_key="k", reference="ord_1", description="", entries=_SALE, alone=True)
        assert (again.id, again.created) == (posted.id, False)
        assert selectors.balance("receivable:stripe", "CNY") == cny(5)

    def test_one_round_trip_carries_all_of_it(self) -> None:
        captured(key="opens the accounts")
        assert round_trips(_alone) == 1

    def test_what_is_refused_at_the_commit_is_refused_to_the_caller(self) -> None:
        captured(key="opens the accounts")
        no = "RAISE EXCEPTION 'not so' USING ERRCODE = 'check_violation'"
        with _at_commit(no), nothing_moves(), pytest.raises(IntegrityError, match="not so"):
            _alone()
        assert _alone().created

    @pytest.mark.parametrize(
        ("entries", "refusal"),
        [
            ([Entry("receivable:stripe", cny(5)), Entry("sales", cny(-4))], UnbalancedPosting),
            ([Entry("nowhere", cny(5)), Entry("sales", cny(-5))], UnknownAccount),
        ],
    )
    def test_unsound_ones_move_nothing(self, entries: list[Entry], refusal: type[Refusal]) -> None:
        with nothing_moves(), pytest.raises(refusal):
            post(business_key="k", reference="ord_1", description="", entries=entries, alone=True)

    def test_it_is_none_of_another_transaction(self) -> None:
        with nothing_moves(), pytest.raises(AssertionError, match="transaction"), transaction.atomic():
            _alone()

    def test_a_race_for_one_key_posts_once(self) -> None:
        captured(key="opens the accounts")
        start, answers = Barrier(4), []

        def work() -> None:
            start.wait(PATIENCE)
            answers.append(_alone())
            connection.close()

        threads = [Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert sorted(answer.created for answer in answers) == [False, False, False, True]
        assert len({answer.id for answer in answers}) == 1


_SALE = [Entry("receivable:stripe", cny(5)), Entry("customer_prepayments", cny(-5))]


def _alone() -> PostedTransaction:
    return post(business_key="k", reference="ord_1", description="", entries=_SALE, alone=True)


def _seen_by_others(key: str) -> bool:
    """By a session of its own."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        found = other.execute("SELECT count(*) FROM ledger_transaction WHERE business_key = %s", [key])
        return found.fetchone() == (1,)


@contextmanager
def _at_commit(does: str) -> Iterator[None]:
    """A deferred guard more."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE FUNCTION late_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {does}; END $$;"
            " CREATE CONSTRAINT TRIGGER late_guard AFTER INSERT ON ledger_transaction"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late_guard()"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER late_guard ON ledger_transaction; DROP FUNCTION late_guard()")


@pytest.mark.django_db(transaction=True)
def test_nothing_stays_of_a_transaction_that_is_rolled_back() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        captured()
        raise ZeroDivisionError
    assert not Transaction.objects.exists() and not Account.objects.exists()
    assert captured().created


def _race(amounts: list[int]) -> list[PostedTransaction | Refusal]:
    """Each amount is posted under one key by a thread of its own; all begin before any commits."""
    answers: list[PostedTransaction | Refusal] = []
    start = Barrier(len(amounts))

    def post_one(minor: int) -> None:
        try:
            with transaction.atomic():
                start.wait(PATIENCE)
                answers.append(captured(minor))
        except Refusal as refusal:
            answers.append(refusal)
        finally:
            connection.close()

    threads = [Thread(target=post_one, args=(minor,)) for minor in amounts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return answers


@pytest.mark.django_db(transaction=True)
def test_a_race_for_one_key_posts_once() -> None:
    answers: list[Any] = _race([100, 100, 100])
    assert sorted(answer.created for answer in answers) == [False, False, True]
    assert len({answer.id for answer in answers}) == 1
    assert selectors.balance("receivable:stripe", "CNY") == cny(100)


@pytest.mark.django_db(transaction=True)
def test_a_race_for_one_key_with_other_content_lets_one_win() -> None:
    answers = _race([100, 200])
    assert sorted(type(answer).__name__ for answer in answers) == ["BusinessKeyConflict", "PostedTransaction"]
    assert Transaction.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_unique_key_the_same_race_posts_twice() -> None:
    """Shows that the race is one: the guard taken away, both threads write."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE ledger_transaction DROP CONSTRAINT ledger_transaction_business_key")
    try:
        answers: list[Any] = _race([100, 100])
        assert [answer.created for answer in answers] == [True, True]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica; DELETE FROM ledger_transaction;")
            cursor.execute("DELETE FROM ledger_entry; SET session_replication_role = origin")
            cursor.execute(
                "ALTER TABLE ledger_transaction ADD CONSTRAINT ledger_transaction_business_key"
                " UNIQUE (business_key)"
            )
