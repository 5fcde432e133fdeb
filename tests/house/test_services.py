"""The test run's own PostgreSQL and Redis."""

import os

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection

from tests import template
from tests.services import TEST_KEYS


@pytest.mark.django_db
def test_database_is_postgresql_18_and_belongs_to_this_worker() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), current_setting('server_version_num')::int")
        name, version = cursor.fetchone()
    assert version >= 180000
    assert name.endswith(os.environ.get("PYTEST_XDIST_WORKER", "smart_checkout"))


def test_redis_database_belongs_to_this_worker() -> None:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    expected = int(worker.removeprefix("gw")) + 1 if worker else 0
    assert settings.REDIS_URL.endswith(f"/{expected}")
    cache.set("here", worker)
    assert cache.get("here") == worker


def test_the_kept_database_is_named_by_all_that_it_was_made_from() -> None:
    sources = {path.relative_to(template.ROOT).as_posix() for path in template.sources()}
    assert {"ledger/migrations/0001_initial.py", "risk/migrations/0002_starting_policy.py"} <= sources
    # What a migration seeds is told by this module.
    assert "risk/starting.py" in sources
    assert template.name(TEST_KEYS) == template.name(dict(TEST_KEYS))
    assert template.name(TEST_KEYS) != template.name({**TEST_KEYS, "AUDIT_HMAC_KEY": "another"})
