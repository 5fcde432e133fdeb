"""Days close by themselves some days after they ended; one that is refused stays open, and operators are told."""

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.conf import settings as django_settings
from django_celery_beat.schedulers import ModelEntry
from structlog.testing import capture_logs

from config.celery import app
from ledger import selectors
from ledger.invariants import check
from ledger.models import DayClose
from ledger.models.days import today
from ledger.services import close_day as closing
from ledger.services.close_day import close_day
from ledger.tasks import close_due_days
from tests.ledger import history
from tests.ledger.books import nothing_moves, tamper
from tests.ledger.history import days_ago
from tests.ledger.test_close_day import _MONDAY, _TUESDAY, _Slow, slow
from tests.ledger.test_reports import TWO_CHANNELS
from tests.reconciliation.operators import person

__all__ = ["slow"]
pytestmark = pytest.mark.django_db(transaction=True)
DAYS = "/console/books/days/"
WORK = "/console/home/work/"
BY_ITSELF = "task:close_due_days"


def words(page: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.text))


def broken() -> list[Any]:
    return [
        one
        for name, _, findings in check()
        for one in findings
        if name in ("ledger.closed_days", "ledger.day_totals", "ledger.day_balances")
    ]


def test_a_day_closes_seven_days_after_it_ended() -> None:
    history.write(TWO_CHANNELS)
    close_due_days()
    assert selectors.closed_through() == days_ago(8)
    assert set(DayClose.objects.values_list("closed_by", flat=True)) == {BY_ITSELF}
    assert [one.actor for one in selectors.audit_trail(days_ago(8).isoformat())] == [BY_ITSELF]
    with nothing_moves():
        close_due_days()
    assert selectors.closed_through() == days_ago(8) and broken() == []
    said = words(person("finance").get(DAYS))
    assert f"Closed through {days_ago(8)}." in said
    assert f"The next, {days_ago(7)}, closes by itself on {today() + timedelta(days=1)}" in said
    assert "7 days after it ended" in said and " automatic " in said and BY_ITSELF not in said


def test_a_person_may_be_quicker_and_another_time_be_set(settings: Any) -> None:
    history.write(TWO_CHANNELS)
    close_day(day=days_ago(3), actor="user:1")
    close_due_days()
    assert selectors.closed_through() == days_ago(3)
    settings.LEDGER_CLOSE_AFTER_DAYS = 1
    assert f"The next, {days_ago(2)}, is due" in words(person("finance").get(DAYS))
    close_due_days()
    assert selectors.closed_through() == days_ago(2)


def test_where_a_person_closes_nothing_closes_by_itself(settings: Any) -> None:
    settings.LEDGER_CLOSE_AFTER_DAYS = 0
    history.write(TWO_CHANNELS)
    close_due_days()
    assert selectors.closed_through() is None
    said = words(person("finance").get(DAYS))
    assert "No day closes by itself" in said and "on its own" not in said


def test_books_without_postings_have_no_next_day() -> None:
    close_due_days()
    assert selectors.closed_through() is None
    assert "closes by itself 7 days after it ended." in words(person("finance").get(DAYS))


def test_a_day_out_of_balance_is_told_once_and_closed_when_it_is_put_right() -> None:
    history.write(TWO_CHANNELS)
    finance = person("finance")
    assert "Days that did not close" in words(finance.get(WORK)).partition("Nothing waits here:")[2]
    tamper("UPDATE ledger_entry SET amount = amount + 1 WHERE id = (SELECT min(id) FROM ledger_entry)")
    with capture_logs() as logs:
        close_due_days()
        close_due_days()
    assert selectors.closed_through() is None
    refused = days_ago(9).isoformat()
    [alarm] = [one for one in logs if one["event"] == "day.not_closed"]
    assert (alarm["log_level"], alarm["day"], alarm["code"]) == ("error", refused, "day_out_of_balance")
    [entry] = selectors.audit_trail(refused)
    assert (entry.actor, entry.action) == (BY_ITSELF, "day.close_refused")
    assert entry.after == {"code": "day_out_of_balance"}
    waiting = words(finance.get(WORK)).partition("Nothing waits here:")[0]
    assert "Days that did not close 1 late 1" in waiting
    said = words(finance.get(DAYS))
    assert f"{refused} could not be closed by itself: the books are out of balance" in said
    tamper("UPDATE ledger_entry SET amount = amount - 1 WHERE id = (SELECT min(id) FROM ledger_entry)")
    close_due_days()
    assert selectors.closed_through() == days_ago(8) and broken() == []
    assert "Days that did not close" in words(finance.get(WORK)).partition("Nothing waits here:")[2]
    assert "could not be closed" not in words(finance.get(DAYS))


def test_a_posting_that_is_not_committed_is_waited_for_until_the_next_run(
    slow: _Slow, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "_PATIENCE", "100ms")
    settings.LEDGER_CLOSE_AFTER_DAYS = (today() - _TUESDAY).days - 1
    close_due_days()
    assert selectors.closed_through() == _MONDAY
    assert selectors.audit_trail(_TUESDAY.isoformat())[-1].after == {"code": "day_busy"}
    assert "a posting into it is not committed" in words(person("finance").get(DAYS))
    slow.finish.set()
    slow.join(timeout=10)
    close_due_days()
    assert selectors.closed_through() == _TUESDAY
    assert DayClose.objects.get(posted_on=_TUESDAY).entry_count == 2


def test_it_runs_at_night_by_the_ledger_s_clock_and_soon_after_a_night_without_it() -> None:
    [(name, job)] = [
        (name, job)
        for name, job in django_settings.CELERY_BEAT_SCHEDULE.items()
        if job["task"] == "ledger.tasks.close_due_days"
    ]
    entry = ModelEntry.from_entry(name, app=app, **job)
    night = datetime(2026, 3, 4, tzinfo=ZoneInfo("Asia/Shanghai"))
    entry.last_run_at = night - timedelta(minutes=45)  # 23:15
    due = {}
    for hour, minute in ((0, 30), (3, 5), (3, 11), (9, 30)):
        with time_machine.travel(night.replace(hour=hour, minute=minute), tick=False):
            due[hour, minute] = entry.is_due().is_due
    assert due == {(0, 30): False, (3, 5): False, (3, 11): True, (9, 30): True}
