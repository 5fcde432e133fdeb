"""Pytest plugin: after a test that commits, the database is as the migrations left it, in a few milliseconds.

Django would TRUNCATE every table: the books refuse it, what migrations have seeded is lost, and it is slow.
Here only the tables that have rows are emptied, with triggers off, and seeded rows are put back where they changed.
A function in the database does it, called on a connection of its own that has planned it: tests get a new connection
each, and to read of every table and to plan takes a new one longer than all the rest.
"""

import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import psycopg
import pytest
from django.db import connection, connections, transaction
from django.test import TransactionTestCase

_SEEDS = "as_migrated"
_KEPT = "django_migrations"
_PATIENCE = 100
_TRIES = 5
_OTHERS_AT_WORK = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type = 'client backend' AND state <> 'idle')
"""
# What every change of a table changes: whoever writes a row gives it a transaction's number above all earlier.
_MARK = "SELECT count(*)::text || ' ' || sum(xmin::text::bigint) FROM public.\"{0}\""
_EMPTY = 'IF EXISTS (SELECT FROM public."{0}") THEN DELETE FROM public."{0}"; END IF;'
_SEED_AGAIN = f"""
IF ({_MARK}) IS DISTINCT FROM (SELECT mark FROM {_SEEDS}.marks WHERE name = '{{0}}') THEN
    DELETE FROM public."{{0}}";
    INSERT INTO public."{{0}}" SELECT * FROM {_SEEDS}."{{0}}";
    UPDATE {_SEEDS}.marks SET mark = ({_MARK}) WHERE name = '{{0}}';
END IF;"""


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """pytest-django's fixture, which has made the database, and then the quicker way to clean up."""
    with django_db_blocker.unblock():
        _remember(tables())
        own = _own_connection()
    plain = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def put_back(_: TransactionTestCase) -> None:
        # Django closes them after this, and what one of them had left open would block us.
        connections.close_all()
        for tries_left in reversed(range(_TRIES)):
            _wait_for_others(own)
            try:
                own.execute(f"SELECT {_SEEDS}.put_back()")
                return
            except psycopg.OperationalError:
                # A deadlock with a notification that the live server was still applying.
                if not tries_left:
                    raise

    TransactionTestCase._fixture_teardown = put_back  # type: ignore[attr-defined]
    yield
    TransactionTestCase._fixture_teardown = plain  # type: ignore[attr-defined]
    own.close()


@cache
def tables() -> list[str]:
    """Every table that tests may fill."""
    return [table for table in connection.introspection.table_names() if table != _KEPT]


def _own_connection() -> psycopg.Connection:
    """A replica, which fires no triggers: neither the books' guards nor foreign keys.

    It is one all the time, because to become one is to forget every plan.
    """
    parameters = connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}
    own = psycopg.connect(**parameters, autocommit=True)
    own.execute("SET session_replication_role = replica")
    return own


def _remember(names: list[str]) -> None:
    """Copy what migrations have seeded, and make the function that puts it back."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {_SEEDS} CASCADE; CREATE SCHEMA {_SEEDS}")
        cursor.execute(f"CREATE TABLE {_SEEDS}.marks (name text PRIMARY KEY, mark text)")
        seeded = filled_tables(cursor, names)
        for table in seeded:
            cursor.execute(f'CREATE TABLE {_SEEDS}."{table}" AS TABLE public."{table}"')
            cursor.execute(f"INSERT INTO {_SEEDS}.marks VALUES ('{table}', ({_MARK.format(table)}))")
        steps = [(_SEED_AGAIN if name in seeded else _EMPTY).format(name) for name in names]
        body = f"BEGIN {' '.join(steps)} END"
        cursor.execute(f"CREATE FUNCTION {_SEEDS}.put_back() RETURNS void LANGUAGE plpgsql AS $$ {body} $$")


def _wait_for_others(own: psycopg.Connection) -> None:
    """The live server may still be applying a notification: rows that it adds behind our back would stay for good."""
    for _ in range(_PATIENCE):
        if own.execute(_OTHERS_AT_WORK).fetchone() == (False,):
            return
        time.sleep(0.02)


def filled_tables(cursor: Any, names: list[str]) -> list[str]:
    """Those of the tables that have rows."""
    looks = ", ".join(f'EXISTS (SELECT FROM public."{name}")' for name in names)
    cursor.execute(f"SELECT {looks}")
    return [name for name, has_rows in zip(names, cursor.fetchone(), strict=True) if has_rows]
