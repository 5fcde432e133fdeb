"""Account statements: what moved an account, and how it stood after each line."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from ledger import selectors
from ledger.errors import UnknownAccount
from ledger.facts import AccountStatement, Entry, Posting, StatementLine
from ledger.services.close_day import close_day
from ledger.services.post_many import post_many
from ledger.services.take_snapshots import take_snapshots
from tests.ledger.books import cny

pytestmark = pytest.mark.django_db(transaction=True)

_FIRST = date(2026, 3, 1)
_DAYS = 4


def _at(day: int, hour: int) -> datetime:
    """An hour in Shanghai."""
    return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=day, hours=hour - 8)


def _books() -> None:
    """Each day 1, 10, 100 at 1, 12 and 23 o'clock, a power of ten higher than the day before; told out of order."""
    postings = [
        Posting(
            business_key=f"{day}:{hour}",
            reference=f"ord_{day}",
            description=f"at {hour}",
            entries=[Entry("bank:main", cny(minor), "TEA-1"), Entry("suspense", cny(-minor))],
            happened_at=_at(day, hour),
        )
        for hour, minor in ((23, 100), (1, 1), (12, 10))
        for day in range(_DAYS)
    ]
    with transaction.atomic():
        post_many(postings=postings)


@pytest.fixture(params=["open", "closed", "closed in part", "with snapshots"], autouse=True)
def books(request: pytest.FixtureRequest) -> None:
    """Whatever is closed and kept, a statement says the same."""
    _books()
    if request.param == "with snapshots":
        take_snapshots(at_least=1)
    elif request.param != "open":
        days = _DAYS if request.param == "closed" else 2
        close_day(day=_FIRST + timedelta(days=days - 1), actor="user:1")


def _statement(since: date | datetime, until: date | datetime) -> AccountStatement:
    return selectors.account_statement("bank:main", "CNY", since=since, until=until)


def test_a_day_as_a_whole() -> None:
    second = _FIRST + timedelta(days=1)
    found = _statement(second, second)
    assert (found.opening, found.closing, found.next) == (cny(111), cny(222), "")
    assert [(line.amount, line.balance) for line in found.lines] == [
        (cny(100), cny(211)),  # in the order in which they were posted
        (cny(1), cny(212)),
        (cny(10), cny(222)),
    ]
    line = found.lines[0]
    assert (line.reference, line.item, line.posted_on, line.happened_at) == (
        "ord_1",
        "TEA-1",
        second,
        _at(1, 23),
    )
    assert selectors.transaction(line.transaction).business_key == "1:23"


_MOMENTS = [
    (_at(1, 12), _at(2, 12), 111 + 11, 222 + 11),
    (_at(1, 1), _at(1, 22), 111 + 1, 111 + 11),
    (_at(1, 11), _at(1, 11), 111 + 1, 111 + 1),
    (_at(1, 2), _FIRST + timedelta(days=2), 111 + 1, 333),
    (date(2025, 1, 1), date(2025, 12, 31), 0, 0),
    (_FIRST, date(2027, 1, 1), 0, 444),
    (date(2026, 12, 31), date(2027, 1, 1), 444, 444),
]


def test_from_any_moment_to_any_other() -> None:
    for since, until, opening, closing in _MOMENTS:
        found = _statement(since, until)
        assert (found.opening, found.closing) == (cny(opening), cny(closing))
        assert sum(line.amount.minor for line in found.lines) == closing - opening
        assert not found.lines or found.lines[-1].balance == found.closing
    assert selectors.balance("bank:main", "CNY", at=_at(1, 12)) == cny(122)


def test_pages_make_the_whole() -> None:
    since, until = _at(0, 2), _at(3, 22)
    whole = _statement(since, until)
    for limit in (1, 5, 11):
        lines: list[StatementLine] = []
        after = "begin"
        while after:
            page = selectors.account_statement(
                "bank:main", "CNY", since=since, until=until, after=after, limit=limit
            )
            assert (page.opening, page.closing) == (whole.opening, whole.closing)
            assert len(page.lines) <= limit
            lines += page.lines
            after = page.next
        assert tuple(lines) == whole.lines and len(lines) == 10


def test_it_is_one_statement() -> None:
    with CaptureQueriesContext(connection) as queries:
        _statement(_FIRST, _FIRST)
        selectors.balance("bank:main", "CNY", at=_at(2, 2))
    assert len(queries) == 2


def test_an_account_never_used_has_an_empty_one_and_an_unknown_one_none() -> None:
    found = selectors.account_statement("bank:other", "CNY", since=_FIRST, until=_FIRST, after="garbled.1.2")
    assert (found.opening, found.closing, found.lines) == (cny(0), cny(0), ())
    with pytest.raises(UnknownAccount):
        selectors.account_statement("petty cash", "CNY", since=_FIRST, until=_FIRST)
