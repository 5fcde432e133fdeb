"""Pytest plugin: after a test that commits, the database is as the migrations left it, in a few milliseconds.

Django would TRUNCATE every table: the books refuse it, what migrations have seeded is lost, and it is slow.
Here only the tables that have rows are emptied, with triggers off, and seeded rows are put back where they changed.
"""

import time
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test import TransactionTestCase

_SEEDS = "as_migrated"
_KEPT = "django_migrations"
_PATIENCE = 100
Mark = tuple[int, int]
_TRIES = 5
_OTHERS_AT_WORK = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type = 'client backend' AND state <> 'idle')
"""


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """pytest-django's fixture, which has made the database, and then the quicker way to clean up."""
    with django_db_blocker.unblock():
        seeds = _remember(tables())
    plain = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def put_back(_: TransactionTestCase) -> None:
        for tries_left in reversed(range(_TRIES)):
            _wait_for_others()
            try:
                return _put_back(tables(), seeds)
            except OperationalError:
                # A deadlock with a notification that the live server was still applying.
                if not tries_left:
                    raise

    TransactionTestCase._fixture_teardown = put_back  # type: ignore[attr-defined]
    yield
    TransactionTestCase._fixture_teardown = plain  # type: ignore[attr-defined]


@cache
def tables() -> list[str]:
    """Every table that tests may fill."""
    return [table for table in connection.introspection.table_names() if table != _KEPT]


def _remember(names: list[str]) -> dict[str, Mark]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {_SEEDS} CASCADE; CREATE SCHEMA {_SEEDS}")
        seeded = filled_tables(cursor, names)
        for table in seeded:
            cursor.execute(f'CREATE TABLE {_SEEDS}."{table}" AS TABLE public."{table}"')
        return _marks(cursor, seeded)


def _marks(cursor: Any, names: Iterable[str]) -> dict[str, Mark]:
    """What every change of a table changes: whoever writes a row gives it a transaction's number above all earlier."""
    marks = {}
    for name in names:
        cursor.execute(f'SELECT count(*), sum(xmin::text::bigint) FROM public."{name}"')
        marks[name] = cursor.fetchone()
    return marks


def _wait_for_others() -> None:
    """The live server may still be applying a notification: rows that it adds behind our back would stay for good."""
    with connection.cursor() as cursor:
        for _ in range(_PATIENCE):
            cursor.execute(_OTHERS_AT_WORK)
            if not cursor.fetchone()[0]:
                return
            time.sleep(0.02)


def _put_back(names: list[str], seeds: dict[str, Mark]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        changed = [table for table, mark in _marks(cursor, seeds).items() if mark != seeds[table]]
        filled = filled_tables(cursor, [name for name in names if name not in seeds])
        # As a replica the session fires no triggers: neither the books' guards nor foreign keys.
        statements = ["SET LOCAL session_replication_role = replica"]
        statements += [f'DELETE FROM public."{table}"' for table in [*filled, *changed]]
        statements += [f'INSERT INTO public."{table}" SELECT * FROM {_SEEDS}."{table}"' for table in changed]
        cursor.execute("; ".join(statements))
        seeds.update(_marks(cursor, changed))


def filled_tables(cursor: Any, names: list[str]) -> list[str]:
    """Those of the tables that have rows."""
    looks = ", ".join(f'EXISTS (SELECT FROM public."{name}")' for name in names)
    cursor.execute(f"SELECT {looks}")
    return [name for name, has_rows in zip(names, cursor.fetchone(), strict=True) if has_rows]
