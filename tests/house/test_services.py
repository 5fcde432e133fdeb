"""The test run's own PostgreSQL and Redis."""

import os

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection


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
