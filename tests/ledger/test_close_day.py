"""Closed days: in order, for good, and safe against who posts at the same moment."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from threading import Event, Thread
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from ledger import selectors
from ledger.errors import DayBusy, DayClosed, DayNotEnded, Refusal
from ledger.facts import Entry, PostedTransaction, Posting
from ledger.models import DayBalance, DayClose, Transaction
from ledger.models.days import today
from ledger.services import close_day as closing
from ledger.services.close_day import close_day
from ledger.services.post import post
from ledger.services.post_many import post_many
from ledger.services.reverse import reverse
from tests.ledger.books import cny, nothing_moves, run, tamper
from tests.patience import PATIENCE

pytestmark = pytest.mark.django_db(transaction=True)

_MONDAY = date(2026, 3, 2)
_TUESDAY, _WEDNESDAY = _MONDAY + timedelta(days=1), _MONDAY + timedelta(days=2)


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC)  # noon in Shanghai


def _posted(key: str, day: date, minor: int = 100, *, on: date | None = None) -> PostedTransaction:
    with transaction.atomic():
        return post(
            business_key=key,
            reference="ord_1",
            description="captured",
            entries=[Entry("receivable:stripe", cny(minor)), Entry("customer_prepayments", cny(-minor))],
            happened_at=_noon(day),
            on=on,
        )


def _day_of(key: str) -> date:
    return Transaction.objects.get(business_key=key).posted_on


def test_days_are_closed_in_order_and_once() -> None:
    _posted("monday", _MONDAY)
    _posted("wednesday", _WEDNESDAY, 50)
    assert close_day(day=_MONDAY - timedelta(days=1), actor="user:1") == []
    assert close_day(day=_WEDNESDAY, actor="user:1") == [_MONDAY, _TUESDAY, _WEDNESDAY]
    assert close_day(day=_TUESDAY, actor="user:2") == []
    assert selectors.closed_through() == _WEDNESDAY
    newest, empty, _ = selectors.closed_days()
    assert (newest.closed_by, newest.entry_count, empty.entry_count) == ("user:1", 2, 0)
    (totals,) = newest.totals
    assert (totals.moved, totals.balances) == (cny(50), cny(150))
    assert DayBalance.objects.count() == 4
    (entry,) = selectors.audit_trail("2026-03-04")
    assert (entry.actor, entry.action, entry.after) == ("user:1", "day.close", {"CNY": [50, 150]})


def test_books_without_postings_have_no_day_to_close() -> None:
    assert close_day(day=_MONDAY, actor="user:1") == []


def test_a_day_that_has_not_ended_stays_open() -> None:
    _posted("today", today())
    with pytest.raises(DayNotEnded):
        close_day(day=today(), actor="user:1")
    assert selectors.closed_through() is None


def test_what_comes_late_is_posted_into_the_first_open_day() -> None:
    original = _posted("monday", _MONDAY)
    close_day(day=_TUESDAY, actor="user:1")
    _posted("late", _MONDAY)
    _posted("too late to say", _MONDAY, on=_WEDNESDAY)
    with transaction.atomic():
        reverse(business_key="undone", of=original.id, reason="")
    assert (_day_of("late"), _day_of("too late to say")) == (_WEDNESDAY, _WEDNESDAY)
    assert _day_of("undone") == today()
    assert selectors.balance("receivable:stripe", "CNY", at=_noon(_TUESDAY)) == cny(100)


def test_a_closed_day_that_is_asked_for_is_refused() -> None:
    _posted("monday", _MONDAY)
    close_day(day=_MONDAY, actor="user:1")
    with nothing_moves(), pytest.raises(DayClosed):
        _posted("late", _MONDAY, on=_MONDAY)
    again = _posted("monday", _MONDAY, on=_MONDAY)  # posted before it was closed
    assert not again.created
    with transaction.atomic():
        entries = [Entry("sales", cny(-1)), Entry("suspense", cny(1))]
        kinds = [
            posting if isinstance(posting, Refusal) else posting.created
            for posting in post_many(
                postings=[
                    Posting(business_key=f"{on}", reference="r", description="", entries=entries, on=on)
                    for on in (_MONDAY, _TUESDAY)
                ]
            )
        ]
    assert isinstance(kinds[0], DayClosed) and kinds[1] is True


_RAW_HEAD = (
    "INSERT INTO ledger_transaction (id, business_key, reference, description, entry_count, happened_at{more})"
    " VALUES (gen_random_uuid(), 'raw', 'ord_raw', '', 2, now(){value})"
)
_RAW_CLOSE = (
    "INSERT INTO ledger_dayclose (id, posted_on, entry_count, closed_by)"
    " VALUES (gen_random_uuid(), %s, 0, 'user:1')"
)


def test_raw_sql_posts_nothing_into_a_closed_day() -> None:
    _posted("monday", _MONDAY)
    close_day(day=_MONDAY, actor="user:1")
    with nothing_moves(), pytest.raises(IntegrityError, match="2026-03-02, which is closed"):
        run(_RAW_HEAD.format(more=", posted_on", value=", '2026-03-02'"))
    refused = pytest.raises(IntegrityError, match="READ COMMITTED")
    with nothing_moves(), refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute(_RAW_HEAD.format(more="", value=""))


def test_an_entry_stands_on_the_day_of_its_transaction() -> None:
    _posted("monday", _MONDAY)
    with nothing_moves(), pytest.raises(IntegrityError, match="no room"), transaction.atomic():
        run(_RAW_HEAD.format(more="", value=""))
        run(
            "INSERT INTO ledger_entry (transaction_id, position, account_id, currency, amount, posted_on)"
            " SELECT head.id, 1, account.id, 'CNY', 5, '2026-03-01' FROM ledger_account AS account,"
            " ledger_transaction AS head WHERE head.business_key = 'raw' LIMIT 1"
        )


@pytest.mark.parametrize("day", [_MONDAY, _WEDNESDAY, today() + timedelta(days=1)])
def test_raw_sql_closes_days_only_in_order(day: date) -> None:
    _posted("monday", _MONDAY)
    close_day(day=_MONDAY, actor="user:1")
    with pytest.raises(IntegrityError, match=r"in order|not ended"):
        run(_RAW_CLOSE, [day])
    assert selectors.closed_through() == _MONDAY


class _Slow(Thread):
    """Posts into a day and commits when it is told to."""

    def __init__(self, day: date, key: str = "slow") -> None:
        super().__init__()
        self.day, self.key = day, key
        self.posted, self.finish = Event(), Event()

    def run(self) -> None:
        try:
            with transaction.atomic():
                _posted(self.key, self.day)
                self.posted.set()
                self.finish.wait(PATIENCE)
        finally:
            connection.close()


@pytest.fixture
def slow() -> Iterator[_Slow]:
    """A posting into Tuesday that is not committed yet."""
    _posted("monday", _MONDAY)
    close_day(day=_MONDAY, actor="user:1")
    thread = _Slow(_TUESDAY)
    thread.start()
    assert thread.posted.wait(PATIENCE)
    yield thread
    thread.finish.set()
    thread.join(PATIENCE)


def test_a_close_waits_for_who_is_posting_and_counts_it(slow: _Slow) -> None:
    closed: list[Any] = []

    def close() -> None:
        try:
            closed.extend(close_day(day=_TUESDAY, actor="user:1"))
        finally:
            connection.close()

    closer = Thread(target=close)
    closer.start()
    closer.join(timeout=0.3)
    assert closer.is_alive() and not closed
    slow.finish.set()
    closer.join(PATIENCE)
    assert closed == [_TUESDAY]
    assert DayClose.objects.get(posted_on=_TUESDAY).entry_count == 2


def test_a_close_gives_up_on_a_posting_that_never_ends(slow: _Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "_PATIENCE", "100ms")
    with pytest.raises(DayBusy):
        close_day(day=_TUESDAY, actor="user:1")
    assert selectors.closed_through() == _MONDAY


def test_other_days_do_not_wait(slow: _Slow) -> None:
    assert _posted("wednesday", _WEDNESDAY).created


def test_who_posts_while_the_day_is_closed_goes_into_the_next(slow: _Slow) -> None:
    """The posting has begun when the day was open and waits for the close: it is neither lost nor refused."""
    slow.finish.set()
    slow.join(PATIENCE)
    late = _Slow(_TUESDAY, key="late")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT ledger_take_day(%s)", [_TUESDAY])
        late.start()
        assert not late.posted.wait(timeout=0.3)
        cursor.execute(_RAW_CLOSE, [_TUESDAY])
    assert late.posted.wait(PATIENCE)
    late.finish.set()
    late.join(PATIENCE)
    assert _day_of("late") == _WEDNESDAY


def test_the_first_close_waits_for_postings_into_earlier_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "_PATIENCE", "100ms")
    _posted("tuesday", _TUESDAY)
    thread = _Slow(_MONDAY)
    thread.start()
    assert thread.posted.wait(PATIENCE)
    with pytest.raises(DayBusy):
        close_day(day=_TUESDAY, actor="user:1")
    thread.finish.set()
    thread.join(PATIENCE)
    assert close_day(day=_TUESDAY, actor="user:1") == [_MONDAY, _TUESDAY]


def test_without_the_guard_the_same_race_leaves_a_posting_that_no_close_has_counted(slow: _Slow) -> None:
    """Shows that the race is one: the lock taken away, the close does not wait for the posting."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('ledger_take_day'::regproc)")
        (guard,) = cursor.fetchone()
        cursor.execute(
            "CREATE OR REPLACE FUNCTION ledger_take_day(day date) RETURNS void LANGUAGE sql AS 'SELECT'"
        )
    try:
        assert close_day(day=_TUESDAY, actor="user:1") == [_TUESDAY]
        slow.finish.set()
        slow.join(PATIENCE)
        assert _day_of("slow") == _TUESDAY
        assert DayClose.objects.get(posted_on=_TUESDAY).entry_count == 0
    finally:
        with connection.cursor() as cursor:
            cursor.execute(guard)


def test_books_that_were_tampered_with_are_not_closed() -> None:
    _posted("monday", _MONDAY)
    tamper("UPDATE ledger_entry SET amount = amount + 1 WHERE amount > 0")
    with pytest.raises(Refusal, match="out of balance by"):
        close_day(day=_MONDAY, actor="user:1")
    assert selectors.closed_through() is None and not DayBalance.objects.exists()
