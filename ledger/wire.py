"""Statements that are prepared once a session, sent in as few round trips as there can be.

In a transaction BEGIN travels with the first of them. Outside of one, those that are sent together are a transaction
of their own, in one round trip. So this speaks to the driver's own connection, without Django's cursors; whoever
listens to those (`execute_wrappers`, the log of queries) gets the statements by such a cursor instead.
"""

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.abc import PQGen
from psycopg.errors import error_from_result
from psycopg.generators import fetch_many
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.waiting import Ready, Wait

_log = logging.getLogger(__name__)

T = TypeVar("T")
Values: TypeAlias = Sequence[Any]
Row: TypeAlias = list[str | None]  # as the server writes values
Driver: TypeAlias = "psycopg.Connection[Any]"

_Told: TypeAlias = tuple["Statement", list[bytes | None]]  # with its values as they are sent

# What of each connection waits for its next statement, or for COMMIT.
_waiting: WeakKeyDictionary[Driver, list[_Told]] = WeakKeyDictionary()
# What of each connection comes after COMMIT.
_following: WeakKeyDictionary[Driver, list[_Told]] = WeakKeyDictionary()
# What each connection has prepared. The server then reads and plans a statement once a session, and not every time.
_prepared: WeakKeyDictionary[Driver, set[str]] = WeakKeyDictionary()
_NAMED = re.compile(r"%\((\w+)\)s")


class Statement:
    """A statement with places like %(this)s; `name` tells it from every other in the program."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        self.places = tuple(dict.fromkeys(_NAMED.findall(text)))
        numbers = {place: f"${number}" for number, place in enumerate(self.places, start=1)}
        self.numbered = _NAMED.sub(lambda found: numbers[found[1]], text).encode()
        self.prepared_as = name.encode()

    def __call__(self, params: Mapping[str, Any]) -> "Call":
        return Call(self, [params[place] for place in self.places])


@dataclass(frozen=True, slots=True)
class Call:
    """A statement with its values, in the order of its places. Lists are of texts."""

    statement: Statement
    values: Values


def plan_once(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """What is prepared on this new connection is planned once, too: to plan takes longer than most of it does.

    Not by an option of the connection: poolers refuse those that they do not know.
    """
    if connection.connection.prepare_threshold is not None:
        with connection.cursor() as cursor:
            cursor.execute("SET plan_cache_mode = force_generic_plan")


def call(function: str, calls: Iterable[Values]) -> list[Row]:
    """The row that a function of ours returns for each of the calls, in their order. Raises what a cursor would."""
    made = (Call(_calling(function, len(values)), values) for values in calls)
    return [row or [] for row in exchange(made)]


@cache
def _calling(function: str, arguments: int) -> Statement:
    places = ", ".join(f"%(a{number})s" for number in range(arguments))
    return Statement(function, f"SELECT * FROM {function}({places})")  # noqa: S608


def exchange(calls: Iterable[Call]) -> list[Row | None]:
    """The first row of each statement's answer, None where there is none. Raises what a cursor would."""
    rows, _ = exchange_while(calls, lambda: None)
    return rows


def exchange_while(calls: Iterable[Call], work: Callable[[], T]) -> tuple[list[Row | None], T]:
    """The same, and the result of `work`, done while the server works; it must not use this connection."""
    own = connections[DEFAULT_DB_ALIAS]  # of this thread; to ask `connection` for it each time takes longer
    if own.get_autocommit():  # a transaction looked after its connection when it was opened
        own.close_if_health_check_failed()
        own.ensure_connection()
    if _is_watched(own):
        return [_sent_openly(call) for call in calls], work()
    own.validate_no_broken_transaction()
    results, done = _conversed(own, calls, work)
    return [_row(result) for result in results], done


def post(calls: Iterable[Call]) -> None:
    """Send what has no answer that anybody needs: with what this transaction sends next, at the latest with COMMIT.

    So it costs no round trip. What the server refuses of it is raised there, and nothing of the transaction stays.
    """
    own = connections[DEFAULT_DB_ALIAS]
    if own.get_autocommit() or _is_watched(own):
        exchange(calls)
    else:
        own.validate_no_broken_transaction()
        with own.wrap_database_errors:
            told = [_told(call) for call in calls]
        _waiting.setdefault(own.connection, []).extend(told)


def follow(calls: Sequence[Call]) -> None:
    """Send in the packet of this transaction's COMMIT, after it, as a transaction of their own.

    So they cost no round trip, and hold no lock beside those of this one. What the server refuses of them is logged,
    and they with it: this transaction stays. Inside a savepoint they wait for the end of all, and are sent then.
    """
    own = connections[DEFAULT_DB_ALIAS]
    if own.get_autocommit() or own.savepoint_ids or _is_watched(own):
        transaction.on_commit(partial(exchange, calls), robust=True)
    else:
        _following.setdefault(own.connection, []).extend([_told(call) for call in calls])


def send_posted(own: BaseDatabaseWrapper) -> None:
    """Before a cursor of Django's sends anything on this connection."""
    if own.connection in _waiting:
        _conversed(own, [], lambda: None)


def commit_posted(own: BaseDatabaseWrapper) -> bool:
    """COMMIT, together with what was posted and what follows; False, and nothing done, where nothing is."""
    if own.connection not in _waiting and own.connection not in _following:
        return False
    _conversed(own, [], lambda: None, commit=True)
    return True


def forget_posted(own: BaseDatabaseWrapper) -> None:
    """Before ROLLBACK."""
    _waiting.pop(own.connection, None)
    _following.pop(own.connection, None)


def _conversed(
    own: BaseDatabaseWrapper,
    calls: Iterable[Call],
    work: Callable[[], T],
    *,
    commit: bool = False,
) -> tuple[list[PGresult], T]:
    driver: Driver = own.connection
    with own.wrap_database_errors, driver.lock:
        try:
            return driver.wait(_Exchange(driver).of(calls, work, commit=commit))
        finally:
            if driver.pgconn.pipeline_status:
                driver.close()  # in the middle of a conversation: nobody can go on from there


def _is_watched(own: BaseDatabaseWrapper) -> bool:
    driver: Driver = own.connection
    unusual = driver.isolation_level or driver.read_only or driver.deferrable
    return bool(own.queries_logged or own.execute_wrappers or unusual)


def _sent_openly(call: Call) -> Row | None:
    with connection.cursor() as cursor:
        cursor.execute(call.statement.text, dict(zip(call.statement.places, call.values, strict=True)))
        return _row(cursor.pgresult)


def _row(result: PGresult) -> Row | None:
    if not result.ntuples:
        return None
    values = (result.get_value(0, column) for column in range(result.nfields))
    return [None if value is None else value.decode() for value in values]


class _Exchange:
    """One conversation with the server: everything is sent, then the answers are read."""

    def __init__(self, driver: Driver) -> None:
        self._driver, self._pgconn, self._alone = driver, driver.pgconn, driver.autocommit
        self._known = _prepared.setdefault(driver, set())
        self._may_prepare = driver.prepare_threshold is not None
        self._sent: list[str] = []
        self._preparing: set[str] = set()

    def of(
        self, calls: Iterable[Call], work: Callable[[], T], *, commit: bool
    ) -> PQGen[tuple[list[PGresult], T]]:
        pgconn = self._pgconn
        # Before the first is sent: the last may be one that can not be.
        told = [_told(call) for call in calls]
        pgconn.enter_pipeline_mode()
        if pgconn.transaction_status == TransactionStatus.IDLE and not self._alone:
            self._send_plainly("begin")
        for statement, values in _waiting.pop(self._driver, []):
            self._send(statement, values, "posted")
        for statement, values in told:
            self._send(statement, values, "call")
        if commit:
            self._send_plainly("commit")
            for statement, values in _following.pop(self._driver, []):
                self._send(statement, values, "following")
        pgconn.pipeline_sync()
        yield from self._flushed()
        done = work()
        results = yield from self._answers()
        pgconn.exit_pipeline_mode()
        return self._sound(results), done

    def _send_plainly(self, command: str) -> None:
        self._pgconn.send_query_params(command.encode(), None)
        self._sent.append(command)

    def _send(self, statement: Statement, values: list[bytes | None], kind: str) -> None:
        name = statement.prepared_as
        if not self._may_prepare:
            self._pgconn.send_query_params(statement.numbered, values)
        else:
            if statement.name not in self._known and statement.name not in self._preparing:
                self._pgconn.send_prepare(name, statement.numbered)
                self._sent.append(f"prepare {statement.name}")
                self._preparing.add(statement.name)
            self._pgconn.send_query_prepared(name, values)
        self._sent.append(kind)

    def _flushed(self) -> PQGen[None]:
        """Reads while it writes: a server that can not get rid of its answers takes no more calls."""
        while self._pgconn.flush():
            if (yield Wait.RW) & Ready.R:
                self._pgconn.consume_input()

    def _answers(self) -> PQGen[list[PGresult]]:
        results = []
        while (result := (yield from fetch_many(self._pgconn))[0]).status != ExecStatus.PIPELINE_SYNC:
            results.append(result)
        return results

    def _sound(self, results: list[PGresult]) -> list[PGresult]:
        """Those of the calls. Raises what the server refused; what came after that, it did not even try.

        Alone, the commit has a result only when it is refused. After one nothing is raised.
        """
        committed = False
        for sent, result in zip([*self._sent, "commit"], results, strict=False):
            if result.status == ExecStatus.FATAL_ERROR:
                if not committed:
                    raise error_from_result(result)
                _log.error("What followed a commit was refused: %s", error_from_result(result))
                break
            if sent == "commit":
                committed = True
            elif sent.startswith("prepare "):
                self._known.add(sent.removeprefix("prepare "))
        return [result for sent, result in zip(self._sent, results, strict=True) if sent == "call"]


def _told(call: Call) -> _Told:
    values = [value.encode() if type(value) is str else _encoded(value) for value in call.values]
    if b"\0" in b"".join(filter(None, values)):
        raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    return call.statement, values


def _encoded(value: object) -> bytes | None:
    if value is None:
        return None
    return (texts(value) if isinstance(value, list) else str(value)).encode()


def listed(words: Iterable[str]) -> str:
    """Words of ours for the text of a statement, after IN: what never changes is not sent each time."""
    return f"({', '.join(map(repr, map(str, words)))})"


def texts(values: Sequence[str]) -> str:
    """An array of texts as the server reads it. (The driver's own way takes longer than the database does.)"""
    if not values:
        return "{}"
    joined = '","'.join(values)
    if "\\" in joined or joined.count('"') != 2 * (len(values) - 1):
        joined = '","'.join(value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return '{"' + joined + '"}'
