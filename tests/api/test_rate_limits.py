"""Counting requests must never stand in the way of one."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory
from pytest_django import Settings
from rest_framework.request import Request

from checkout.api import rate_limits
from payments.services.recognise_api_key import ApiKeyView
from tests.patience import PATIENCE

THREADS = 16
CALLER = ApiKeyView(id="key_1", name="till", scopes=frozenset())


def asked() -> rate_limits.Standing:
    request = Request(RequestFactory().get("/api/v1/catalogue"))
    request.user, request.auth = AnonymousUser(), CALLER
    standing = rate_limits.count(request)
    assert standing
    return standing


class Minute:
    """One that does not end, in which nobody has asked yet, and what Redis knows of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.name = f"api:requests:{CALLER.id}:{2_000_000_000 // 60}"
        monkeypatch.setattr("checkout.api.rate_limits.time.time", lambda: 2_000_000_000.0)
        self.another_process()

    def another_process(self) -> None:
        rate_limits._minute = rate_limits._Minute(0)

    @property
    def told(self) -> int:
        return int(rate_limits._redis().get(self.name) or 0)


@pytest.fixture
def minute(monkeypatch: pytest.MonkeyPatch) -> Iterator[Minute]:
    begun = Minute(monkeypatch)
    rate_limits._redis().delete(begun.name)
    yield begun
    rate_limits._redis().delete(begun.name)
    begun.another_process()


def test_who_asks_little_is_counted_to_the_last_request_by_all_processes(minute: Minute) -> None:
    standings = []
    for _ in range(10):
        standings.append(asked())
        minute.another_process()
    assert [one.limit - one.remaining for one in standings] == list(range(1, 11)) and minute.told == 10
    assert standings[0].resets_in == 40


def test_a_small_limit_lets_through_not_one_too_many(minute: Minute, settings: Settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 3
    assert [asked().exceeded for _ in range(5)] == [False, False, False, True, True]
    assert minute.told == 5


def test_who_asks_much_is_told_of_in_parts_and_stops_at_the_limit(minute: Minute, settings: Settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 5_000
    standings = [asked() for _ in range(5_002)]
    assert [one.limit - one.remaining for one in standings[:5_000]] == list(range(1, 5_001))
    assert [number for number, one in enumerate(standings) if one.exceeded] == [5_000, 5_001]
    assert minute.told == 5_002


def test_redis_is_asked_seldom_about_who_asks_much(minute: Minute, monkeypatch: pytest.MonkeyPatch) -> None:
    told, plain = [], rate_limits._told

    def noting(minute: rate_limits._Minute, caller: str, due: int) -> int:
        told.append(due)
        return plain(minute, caller, due)

    monkeypatch.setattr(rate_limits, "_told", noting)
    for _ in range(6_000):
        asked()
    assert len(told) < 600 and max(told) <= 60
    assert 6_000 - minute.told < 60  # the rest would have been told with what comes next
    minute.another_process()
    standing = asked()
    assert 6_000 - 60 < standing.limit - standing.remaining <= 6_001


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
        together.wait(PATIENCE)
        return rate_limits.count(request)

    for _ in range(20):
        rate_limits._redis.cache_clear()
        together = threading.Barrier(THREADS)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(counted, [together] * THREADS))  # raises what any of them raised
