"""Tests of risk commit; afterwards the database is as the migrations left it."""

from tests.flush import django_db_setup  # noqa: F401
