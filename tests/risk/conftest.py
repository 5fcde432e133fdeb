"""Tests of risk commit; afterwards the database is as the migrations left it."""

from tests.flush import django_db_setup as django_db_setup
