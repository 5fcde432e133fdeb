"""Rows that many tests begin with: made by the first of them through the services, put back as they were for the rest.

For tests that look at the rows of one world and bend them, each in its own way; those that go on from there by the
services make their own.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar

from django.db import connection, transaction

from tests.flush import filled_tables, tables

Made = TypeVar("Made")

# Name of the world → what its maker returned, and the tables that hold it. Of this worker, as its database is.
_worlds: dict[str, tuple[Any, list[str]]] = {}


def kept(name: str, make: Callable[[], Made]) -> Made:
    """What `make` returns, and in the database what it left there. `name` is a schema's."""
    if name not in _worlds:
        made = make()
        _worlds[name] = deepcopy(made), _keep(name)
        return made
    known, filled = _worlds[name]
    _put_back(name, filled)
    copied: Made = deepcopy(known)
    return copied


def _keep(name: str) -> list[str]:
    with transaction.atomic(), connection.cursor() as cursor:
        filled = filled_tables(cursor, tables())
        cursor.execute(f"CREATE SCHEMA {name}")
        for table in filled:
            cursor.execute(f'CREATE TABLE {name}."{table}" AS TABLE public."{table}"')
    return filled


def _put_back(name: str, filled: list[str]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # As a replica the session fires no triggers: neither the books' guards nor foreign keys.
        statements = ["SET LOCAL session_replication_role = replica"]
        for table in filled:
            statements.append(f'DELETE FROM public."{table}"')
            statements.append(f'INSERT INTO public."{table}" SELECT * FROM {name}."{table}"')
        cursor.execute("; ".join(statements))
