"""Postings on their way to the database: what a connection does when one of them can not be sent or is refused."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from django.db import DataError, IntegrityError, OperationalError, connection, transaction

from config.postgresql import base as postgresql
from ledger import selectors, wire
from ledger.errors import Refusal
from ledger.facts import Entry, PostedTransaction, Posting
from ledger.models import Account, Transaction, batches
from ledger.services.post_many import post_many
from tests.ledger.books import captured, cny, journal, nothing_moves, run

pytestmark = pytest.mark.django_db(transaction=True)


def _posting(key: str, *, account: str = "receivable:stripe", description: str = "") -> Posting:
    entries = [Entry(account, cny(100)), Entry("customer_prepayments", cny(-100))]
    return Posting(business_key=key, reference="ord_1", description=description, entries=entries)


def _posted(*postings: Posting) -> list[PostedTransaction | Refusal]:
    with transaction.atomic():
        return post_many(postings=postings)


@pytest.fixture
def small_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than three postings are copied, or become several statements where one of their keys is taken."""
    monkeypatch.setattr(batches, "_MANY", 3)


def test_the_first_statement_begins_the_transaction_and_a_later_one_stays_in_it() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        captured(key="first")
        captured(key="second")
        raise ZeroDivisionError
    assert journal() == []
    with transaction.atomic():
        assert not Transaction.objects.exists()  # so it has begun already
        captured(key="first")
        captured(key="second")
    assert Transaction.objects.count() == 2


def test_what_the_server_refuses_is_raised_and_the_connection_stays_of_use() -> None:
    captured(key="opens the accounts")
    run("ALTER TABLE ledger_transaction ADD CONSTRAINT ours CHECK (description <> 'no')")
    try:
        with nothing_moves(), pytest.raises(IntegrityError, match="ours") as refused:
            _posted(_posting("a", description="no"), _posting("b"))
        assert isinstance(refused.value.__cause__, psycopg.errors.CheckViolation)
        with pytest.raises(IntegrityError, match="ours"), transaction.atomic():
            try:
                with transaction.atomic():
                    post_many(postings=[_posting("a", description="no"), _posting("b")])
            finally:
                captured(key="beside it")
    finally:
        run("ALTER TABLE ledger_transaction DROP CONSTRAINT ours")
    assert captured(key="after it").created


@pytest.mark.usefixtures("small_statements")
def test_a_large_batch_opens_accounts_and_answers_in_its_own_order() -> None:
    captured(key="k3")
    postings = [_posting(f"k{number}", account=f"receivable:a{number // 2}") for number in range(9, -1, -1)]
    told = _posted(*postings)
    assert [getattr(result, "code", "posted") for result in told] == [
        "business_key_conflict" if posting.business_key == "k3" else "posted" for posting in postings
    ]
    for posting, result in zip(postings, told, strict=True):
        if isinstance(result, PostedTransaction):
            assert selectors.transaction(result.id).business_key == posting.business_key
    assert Account.objects.filter(name__startswith="receivable:a").count() == 5


@pytest.mark.usefixtures("small_statements")
def test_a_key_that_comes_twice_in_a_large_batch_is_posted_the_first_time() -> None:
    postings = [_posting(key, account="receivable:new") for key in "hgfedcbah"]
    told: list[Any] = _posted(*postings)
    assert [result.created for result in told] == [True] * 8 + [False]
    assert told[0].id == told[-1].id


@pytest.fixture
def without_preparing() -> Iterator[None]:
    """As behind a pooler that hands a connection on after each transaction and does not know prepared statements."""
    connection.ensure_connection()
    connection.connection.prepare_threshold = None
    yield
    connection.close()


@pytest.mark.usefixtures("without_preparing")
def test_nothing_is_prepared_where_that_is_switched_off() -> None:
    assert captured().created
    assert [getattr(result, "created", False) for result in _posted(_posting("a"), _posting("b"))] == [
        True,
        True,
    ]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        assert cursor.fetchone() == (0,)


def test_a_call_is_prepared_and_planned_once_a_session() -> None:
    connection.close()
    for number in range(3):
        captured(key=f"{number}")
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, generic_plans > 2, custom_plans FROM pg_prepared_statements")
        assert cursor.fetchall() == [("ledger_append_one", True, 0)]


def test_a_connection_that_is_lost_is_told_of_and_replaced() -> None:
    captured(key="opens the accounts")
    with pytest.raises(OperationalError), transaction.atomic():
        Transaction.objects.exists()
        pid = connection.connection.info.backend_pid
        with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])
        captured(key="lost")
    assert captured(key="lost").created


_OPENED = wire.Statement("t_opened", "INSERT INTO kept VALUES (%(word)s) RETURNING word")


@pytest.fixture
def kept() -> Iterator[None]:
    run("CREATE TABLE kept (word text UNIQUE)")
    yield
    run("DROP TABLE kept")


def _kept() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM kept")
        return int(cursor.fetchone()[0])


@pytest.mark.usefixtures("kept")
def test_outside_of_a_transaction_what_is_sent_together_stays_together() -> None:
    assert connection.get_autocommit()
    assert wire.exchange([_OPENED({"word": "a"}), _OPENED({"word": "b"})]) == [["a"], ["b"]]
    assert connection.get_autocommit() and not connection.in_atomic_block
    with pytest.raises(IntegrityError):
        wire.exchange([_OPENED({"word": "c"}), _OPENED({"word": "a"})])
    with pytest.raises(DataError, match="NUL"):
        wire.exchange([_OPENED({"word": "c"}), _OPENED({"word": "\0"})])
    assert _kept() == 2
    assert wire.exchange([_OPENED({"word": "c"})]) == [["c"]]


@pytest.mark.usefixtures("kept")
def test_what_is_refused_at_the_commit_only_is_raised_too() -> None:
    late = "ADD UNIQUE (word) DEFERRABLE INITIALLY DEFERRED"
    run(f"ALTER TABLE kept DROP CONSTRAINT kept_word_key, {late}")
    with pytest.raises(IntegrityError):
        wire.exchange([_OPENED({"word": "a"}), _OPENED({"word": "a"})])
    assert _kept() == 0
    assert wire.exchange([_OPENED({"word": "a"})]) == [["a"]]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("first", ["a call", "a cursor"])
def test_a_connection_that_the_server_ended_at_rest_is_replaced_before_the_next_request(first: str) -> None:
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    connection.close_if_unusable_or_obsolete()  # as a request begins
    if first == "a call":
        assert wire.exchange([_OPENED({"word": "a"})]) == [["a"]]
    assert _kept() == (first == "a call")
    assert connection.connection.info.backend_pid != pid


def test_a_connection_to_which_the_server_only_said_something_is_kept() -> None:
    with connection.cursor() as cursor:
        cursor.execute("LISTEN heard")
    pid = connection.connection.info.backend_pid
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
        other.execute("NOTIFY heard")
    connection.close_if_unusable_or_obsolete()  # as a request begins
    assert connection.is_usable()
    assert captured().created
    assert connection.connection.info.backend_pid == pid


def test_who_listens_to_statements_hears_of_postings() -> None:
    heard: list[str] = []

    def listen(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        heard.append(sql)
        return execute(sql, parameters, many, context)

    captured(key="opens the accounts")
    with connection.execute_wrapper(listen):
        assert captured().created
    assert [sql.partition("(")[0] for sql in heard] == ["SELECT * FROM ledger_append_one"]


def test_a_call_that_is_given_up_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a conversation can not be gone on with: the transaction is lost, the next has a connection of its own."""

    def give_up(*_: Any) -> Any:
        raise KeyboardInterrupt

    captured(key="opens the accounts")
    with monkeypatch.context() as patch:
        patch.setattr(wire, "fetch_many", give_up)
        with nothing_moves(), pytest.raises(KeyboardInterrupt):
            captured()
    assert captured().created


@pytest.fixture
def exchanges(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many statements each conversation told the server of."""
    told: list[int] = []
    plain = wire._Exchange._sound

    def noting(self: Any, results: list[Any]) -> list[Any]:
        told.append(len(self._sent))
        return plain(self, results)

    monkeypatch.setattr(wire._Exchange, "_sound", noting)
    return told


@pytest.mark.usefixtures("kept")
def test_what_is_posted_leaves_with_the_commit(exchanges: list[int]) -> None:
    wire.exchange([_OPENED({"word": "prepares"})])
    exchanges.clear()
    with transaction.atomic():
        wire.post([_OPENED({"word": "a"})])
        wire.post([_OPENED({"word": "b"})])
    assert exchanges == [4]  # BEGIN, two calls, COMMIT
    assert _kept() == 3
    assert not connection.in_atomic_block and connection.get_autocommit()


@pytest.mark.usefixtures("kept")
def test_what_is_posted_leaves_before_what_is_sent_next() -> None:
    with transaction.atomic():
        wire.post([_OPENED({"word": "a"})])
        assert _kept() == 1
        wire.post([_OPENED({"word": "b"})])
        assert wire.exchange([_OPENED({"word": "c"})]) == [["c"]]
        wire.post([_OPENED({"word": "d"})])
        with transaction.atomic():  # a savepoint is a statement, too
            wire.post([_OPENED({"word": "e"})])
    assert _kept() == 5


@pytest.mark.usefixtures("kept")
def test_what_is_posted_goes_with_its_transaction() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        wire.post([_OPENED({"word": "a"})])
        raise ZeroDivisionError
    with transaction.atomic():
        wire.post([_OPENED({"word": "b"})])
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            wire.post([_OPENED({"word": "c"})])
            raise ZeroDivisionError
    with transaction.atomic():
        wire.post([_OPENED({"word": "d"})])
        transaction.set_rollback(True)
    assert _kept() == 1


@pytest.mark.usefixtures("kept")
def test_what_is_refused_of_what_is_posted_undoes_the_transaction() -> None:
    heard: list[str] = []
    with pytest.raises(IntegrityError), transaction.atomic():
        wire.post([_OPENED({"word": "a"})])
        wire.post([_OPENED({"word": "a"})])
        transaction.on_commit(lambda: heard.append("committed"))
    with pytest.raises(IntegrityError), transaction.atomic():
        wire.post([_OPENED({"word": "a"}), _OPENED({"word": "a"})])
        _kept()
    with pytest.raises(DataError, match="NUL"), transaction.atomic():
        wire.post([_OPENED({"word": "b"})])
        wire.post([_OPENED({"word": "\0"})])
    assert _kept() == 0 and not heard
    with transaction.atomic():
        wire.post([_OPENED({"word": "a"})])
    assert _kept() == 1


@pytest.mark.usefixtures("kept")
def test_what_follows_travels_with_the_commit_and_is_a_transaction_of_its_own(
    exchanges: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    wire.exchange([_OPENED({"word": "prepares"})])
    with transaction.atomic():
        wire.follow([_OPENED({"word": "b"}), _OPENED({"word": "c"})])
        wire.post([_OPENED({"word": "a"})])
    assert exchanges[1:] == [5] and _kept() == 4  # BEGIN, a call, COMMIT, two calls
    with transaction.atomic():
        wire.post([_OPENED({"word": "d"})])
        wire.follow([_OPENED({"word": "e"}), _OPENED({"word": "e"})])
    assert "followed a commit" in caplog.text and _kept() == 5  # that stays, of these neither
    wire.follow([_OPENED({"word": "e"})])  # outside of a transaction, too
    assert _kept() == 6


@pytest.mark.usefixtures("kept")
def test_what_follows_goes_with_its_transaction() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        wire.follow([_OPENED({"word": "a"})])
        raise ZeroDivisionError
    with pytest.raises(IntegrityError), transaction.atomic():
        wire.post([_OPENED({"word": "b"}), _OPENED({"word": "b"})])
        wire.follow([_OPENED({"word": "a"})])
    with transaction.atomic():
        wire.post([_OPENED({"word": "b"})])
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            wire.follow([_OPENED({"word": "a"})])
            raise ZeroDivisionError
    assert _kept() == 1
    with transaction.atomic(), transaction.atomic():
        wire.follow([_OPENED({"word": "a"})])
    assert _kept() == 2


@pytest.mark.usefixtures("kept")
def test_a_connection_that_is_lost_before_the_commit_loses_what_was_posted() -> None:
    with pytest.raises(OperationalError), transaction.atomic():
        _kept()
        pid = connection.connection.info.backend_pid
        wire.post([_OPENED({"word": "a"})])
        with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    assert _kept() == 0
    with transaction.atomic():
        wire.post([_OPENED({"word": "a"})])
    assert _kept() == 1


@pytest.mark.usefixtures("kept")
def test_who_listens_to_statements_hears_at_once_of_what_is_posted() -> None:
    heard: list[str] = []

    def listen(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        heard.append(sql)
        return execute(sql, parameters, many, context)

    with transaction.atomic():
        wire.post([_OPENED({"word": "a"})])
        with connection.execute_wrapper(listen):
            wire.post([_OPENED({"word": "b"})])
    assert heard == [_OPENED.text]
    wire.post([_OPENED({"word": "c"})])  # outside of a transaction, too
    assert _kept() == 3


@pytest.mark.usefixtures("kept")
def test_no_commit_is_silent_when_something_had_failed_and_was_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def passes_over() -> None:
        with transaction.atomic():
            wire.exchange([_OPENED({"word": "a"})])
            with suppress(DataError), connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")

    def passes_over_what_was_posted() -> None:
        with transaction.atomic():
            wire.post([_OPENED({"word": "a"}), _OPENED({"word": "a"})])
            with suppress(IntegrityError), transaction.atomic():  # refused where a savepoint begins
                pass

    for lost in (passes_over, passes_over_what_was_posted):
        with monkeypatch.context() as unguarded:
            unguarded.setattr(postgresql, "_FAILED", None)
            lost()  # as if all were well
        with pytest.raises(transaction.TransactionManagementError):
            lost()
        assert _kept() == 0
