"""Counting requests must never stand in the way of one."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory
from rest_framework.request import Request

from checkout.api import rate_limits

THREADS = 16


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads take turns far more often than usual, so that races happen here and not once a week."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


def test_the_first_requests_of_a_process_may_come_together(eager_threads: None) -> None:
    """Each of them may make a client of its own; none may close another's connection."""

    def counted(together: threading.Barrier) -> rate_limits.Standing | None:
        request = Request(RequestFactory().get("/api/v1/catalogue"))
        request.user = AnonymousUser()
        together.wait(10)
        return rate_limits.count(request)

    for _ in range(20):
        rate_limits._redis.cache_clear()
        together = threading.Barrier(THREADS)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(counted, [together] * THREADS))  # raises what any of them raised
