"""The database's functions, called over the open transaction in as few round trips as there can be.

BEGIN travels with the first call, and each call is put together while the server works on the one before it. So
this speaks to the driver's own connection, without Django's cursors; whoever listens to those (`execute_wrappers`,
the log of queries) gets the calls by such a cursor instead.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import psycopg
from django.db import connection, transaction
from psycopg.abc import PQGen
from psycopg.errors import error_from_result
from psycopg.generators import fetch_many
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.waiting import Ready, Wait

Values: TypeAlias = Sequence[Any]
Row: TypeAlias = list[str | None]  # as the server writes values
Driver: TypeAlias = "psycopg.Connection[Any]"

# What each connection has prepared. The server then reads and plans a call once a session, and not every time.
_prepared: WeakKeyDictionary[Driver, set[str]] = WeakKeyDictionary()


def call(function: str, calls: Iterable[Values]) -> list[Row]:
    """The row that `function` returns for each of the calls, in their order. Raises what a cursor would."""
    driver: Driver = connection.connection
    watched = connection.queries_logged or connection.execute_wrappers
    if watched or driver.isolation_level or driver.read_only or driver.deferrable:
        return [_called_openly(function, values) for values in calls]
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, driver.lock:
        try:
            results = driver.wait(_Exchange(driver, function).of(calls))
        finally:
            if driver.pgconn.pipeline_status:
                driver.close()  # in the middle of a conversation: nobody can go on from there
        return [_row(result) for result in results]


def _called_openly(function: str, values: Values) -> Row:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {function}({', '.join(['%s'] * len(values))})", values)  # noqa: S608
        return _row(cursor.pgresult)


def _row(result: PGresult) -> Row:
    values = (result.get_value(0, column) for column in range(result.nfields))
    return [None if value is None else value.decode() for value in values]


class _Exchange:
    """One conversation with the server: everything is sent, then the answers are read."""

    def __init__(self, driver: Driver, function: str) -> None:
        self._pgconn, self._function = driver.pgconn, function
        self._known = _prepared.setdefault(driver, set())
        self._may_prepare = driver.prepare_threshold is not None
        self._sent: list[str] = []

    def of(self, calls: Iterable[Values]) -> PQGen[list[PGresult]]:
        pgconn, failure = self._pgconn, None
        pgconn.enter_pipeline_mode()
        if pgconn.transaction_status == TransactionStatus.IDLE:
            pgconn.send_query_params(b"BEGIN", None)
            self._sent.append("begin")
        try:
            for values in calls:
                self._send([None if value is None else _encoded(value) for value in values])
                yield from self._flushed()
        except psycopg.DataError as error:
            failure = error
        pgconn.pipeline_sync()
        yield from self._flushed()
        results = yield from self._answers()
        pgconn.exit_pipeline_mode()
        found = self._sound(results)
        if failure:
            transaction.set_rollback(True)  # what was sent before it must not stay
            raise failure
        return found

    def _send(self, values: list[bytes | None]) -> None:
        places = b", ".join(b"$%d" % number for number in range(1, len(values) + 1))
        statement = b"SELECT * FROM %s(%s)" % (self._function.encode(), places)
        if not self._may_prepare:
            self._pgconn.send_query_params(statement, values)
        else:
            if self._function not in self._known and "prepare" not in self._sent:
                self._pgconn.send_prepare(self._function.encode(), statement)
                self._sent.append("prepare")
            self._pgconn.send_query_prepared(self._function.encode(), values)
        self._sent.append("call")

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
        """Those of the calls. Raises what the server refused; what came after that, it did not even try."""
        for sent, result in zip(self._sent, results, strict=True):
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result)
            if sent == "prepare":
                self._known.add(self._function)
        return [result for sent, result in zip(self._sent, results, strict=True) if sent == "call"]


def _encoded(value: object) -> bytes:
    found = str(value).encode()
    if b"\0" in found:
        raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    return found
