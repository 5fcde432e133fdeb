"""Statements that are to be fetched: two workers at once, and the button on the list of stuck money."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from ledger.errors import Refusal
from ledger.selectors import audit_trail
from payments.channels.contract import Statement
from reconciliation.models import StatementFile, StatementRun
from reconciliation.services import fetch_statement as fetching
from reconciliation.services.fetch_statement import fetch_statement
from tests.patience import PATIENCE
from tests.reconciliation.operators import person, press, seen
from tests.reconciliation.statements import DAY, bill, pay
from tests.reconciliation.wechat_bill import paid

FETCH = {"do": "fetch_statement", "reason": "x"}
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _mchid(settings: Any) -> None:
    settings.WECHAT = {**settings.WECHAT, "mchid": "1900000001"}


class Provider:
    """Answers with one bill, and counts who asks; it waits a moment for a second one to ask."""

    def __init__(self, content: bytes, patience: float) -> None:
        self.content, self.asked, self.patience = content, 0, patience
        self.together = Barrier(2)

    def __call__(self, row: StatementRun) -> Statement:
        self.asked += 1
        with suppress(BrokenBarrierError):
            self.together.wait(self.patience)
        return Statement(row.channel, row.kind, row.day_on, "bill.csv", self.content)


def due(number: int = 0) -> str:
    """A run of a day that is long over."""
    StatementRun.objects.expect("wechat", "trade", {DAY + timedelta(days=number): timezone.now()})
    return StatementRun.objects.get(day_on=DAY + timedelta(days=number)).public_id


def at_once(run: str) -> list[str]:
    def work(_: int) -> str:
        try:
            return fetch_statement(run=run).state
        except Refusal as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        return sorted(pool.map(work, range(2)))


@contextmanager
def _everybody(row: StatementRun) -> Iterator[bool]:
    yield True


def test_two_workers_fetch_a_day_once(monkeypatch: Any) -> None:
    one = pay(10_000)
    with monkeypatch.context() as without:
        provider = Provider(bill([paid(one.att)]), PATIENCE)
        without.setattr(fetching, "_asked", provider)
        without.setattr(fetching, "_claimed", _everybody)
        at_once(due())
        assert provider.asked == 2
    StatementRun.objects.all().delete()
    provider = Provider(bill([paid(one.att)]), 0.5)
    monkeypatch.setattr(fetching, "_asked", provider)
    assert at_once(due()) == ["DONE", "run_under_way"]
    assert provider.asked == 1
    assert StatementFile.objects.count() == 1


def test_a_missing_statement_is_fetched_from_the_list_of_stuck_money(monkeypatch: Any) -> None:
    run = due()
    fay = person("finance")
    provider = Provider(b"", 0)
    monkeypatch.setattr(fetching, "_asked", provider)
    assert seen(fay) == [run]
    assert Client().post(f"/console/stuck/statement_missing/{run}/", FETCH).status_code == 302
    assert provider.asked == 0
    page = press(fay, "statement_missing", run, "fetch_statement")
    assert "still stuck" not in page
    assert (provider.asked, StatementRun.objects.get().state) == (1, "EMPTY")
    assert seen(fay) == []
    assert any(one.action == "stuck.repair" for one in audit_trail(run))


def test_a_statement_that_is_overdue_is_one_only_after_its_time() -> None:
    StatementRun.objects.expect("wechat", "trade", {datetime.now(UTC).date(): timezone.now()})
    assert seen(person("finance")) == []
