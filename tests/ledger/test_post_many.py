"""Many postings at once, by one statement and copied: each with its own result."""

from datetime import UTC, date, datetime
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext

from ledger import selectors
from ledger.errors import Refusal
from ledger.facts import Entry, PostedTransaction, Posting
from ledger.models import Transaction, Unfinished, batches
from ledger.services.close_day import close_day
from ledger.services.post_many import post_many
from tests.ledger.books import captured, cny, journal, nothing_moves
from tests.patience import PATIENCE

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True, params=["one statement", "copied"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """More than one statement takes is copied."""
    if request.param == "copied":
        monkeypatch.setattr(batches, "_MANY", 1)
    return str(request.param)


def _captured(key: str, minor: int = 100, *, account: str = "receivable:stripe", **more: Any) -> Posting:
    return Posting(
        business_key=key,
        reference="ord_1",
        description=more.pop("description", "captured"),
        entries=[Entry(account, cny(minor), "TEA-1"), Entry("customer_prepayments", cny(-minor))],
        **more,
    )


def _posted(*postings: Posting) -> list[PostedTransaction | Refusal]:
    with transaction.atomic():
        return post_many(postings=postings)


def _told(results: list[PostedTransaction | Refusal]) -> list[Any]:
    return [each.code if isinstance(each, Refusal) else each.created for each in results]


def test_each_posting_has_its_result_and_one_refused_holds_up_no_other() -> None:
    captured(70, key="taken")
    before = _captured("before")
    _posted(before)
    unbalanced = Posting(
        business_key="unbalanced", reference="ord_1", description="", entries=[Entry("sales", cny(1))] * 2
    )
    results = _posted(
        _captured("first"),
        unbalanced,
        _captured("unknown", account="petty cash"),
        _captured("taken"),
        before,
        _captured("last", 250),
    )
    assert _told(results) == [
        True,
        "unbalanced_posting",
        "unknown_account",
        "business_key_conflict",
        False,
        True,
    ]
    assert selectors.balance("receivable:stripe", "CNY") == cny(70 + 100 + 100 + 250)
    first = results[0]
    assert isinstance(first, PostedTransaction)
    assert selectors.transaction(first.id).entries[0] == Entry("receivable:stripe", cny(100), "TEA-1")


def test_a_key_that_comes_twice_was_posted_before_the_second_time() -> None:
    results = _posted(_captured("k"), _captured("other"), _captured("k"), _captured("k", 5))
    assert _told(results) == [True, True, False, "business_key_conflict"]
    first, _, again, _ = results
    assert isinstance(first, PostedTransaction) and isinstance(again, PostedTransaction)
    assert first.id == again.id
    assert selectors.balance("receivable:stripe", "CNY") == cny(200)


def test_the_item_is_content() -> None:
    posting = _captured("k")
    _posted(posting)
    without = [Entry(entry.account, entry.amount) for entry in posting.entries]
    other = Posting(business_key="k", reference="ord_1", description="", entries=without)
    assert _told(_posted(other)) == ["business_key_conflict"]


def test_nothing_is_posted_for_nothing() -> None:
    assert _posted() == []


@pytest.mark.parametrize("text", ['a "quoted" \\ {text}, NULL', "NULL", "", "支付 ✓ '", "a\nb\tc\x1f"])
def test_texts_arrive_as_they_are(text: str) -> None:
    _posted(
        Posting(
            business_key=f"k{text}",
            reference=text,
            description=text,
            entries=[Entry("sales", cny(-1), text), Entry("suspense", cny(1))],
        )
    )
    (view,) = selectors.transactions_of(text)
    told = (view.business_key, view.reference, view.description, view.entries[0].item)
    assert told == (f"k{text}", text, text, text)


def test_a_batch_takes_as_many_statements_however_large(way: str) -> None:
    captured(key="opens the accounts")
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        post_many(postings=[_captured(f"k{number}") for number in range(300)])
        told = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert len(told) == (1 if way == "one statement" else 3)
    assert selectors.balance("receivable:stripe", "CNY") == cny(30100)


def test_the_accounting_day_is_that_of_what_happened_in_the_ledgers_time_zone() -> None:
    late = datetime(2026, 1, 31, 15, 59, 59, tzinfo=UTC)  # a second before midnight in Shanghai
    _posted(
        _captured("late", happened_at=late),
        _captured("next", happened_at=late.replace(hour=16)),
        _captured("said", happened_at=late, on=date(2026, 3, 1)),
    )
    days = {view.business_key: view.posted_on for view in selectors.transactions_of("ord_1")}
    assert days == {"late": date(2026, 1, 31), "next": date(2026, 2, 1), "said": date(2026, 3, 1)}


@pytest.mark.django_db(transaction=True)
def test_a_closed_day_that_is_named_is_refused_and_another_goes_on_the_first_open_one() -> None:
    day = date(2026, 3, 1)
    _posted(_captured("before", on=day), _captured("beside", on=day))
    close_day(day=day, actor="test")
    results = _posted(
        _captured("named", on=day),
        _captured("late", happened_at=datetime(2026, 3, 1, tzinfo=UTC)),
        _captured("before", on=day),
        _captured("new", on=date(2026, 3, 4)),
    )
    assert _told(results) == ["day_closed", True, False, True]
    days = {view.business_key: view.posted_on.day for view in selectors.transactions_of("ord_1")}
    assert days == {"before": 1, "beside": 1, "late": 2, "new": 4}


@pytest.mark.parametrize("unfit", [{"minor": 2**63}, {"description": "\0"}])
def test_what_can_not_be_written_leaves_nothing_of_its_batch(unfit: dict[str, Any]) -> None:
    captured(key="opens the accounts")
    with nothing_moves(), pytest.raises(DataError), transaction.atomic():
        post_many(postings=[_captured("a"), _captured("b", **unfit), _captured("c")])
    assert _told(_posted(_captured("a"), _captured("c"))) == [True, True]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_left_to_be_checked_once_it_is_committed() -> None:
    _posted(*[_captured(f"k{number}") for number in range(5)])
    assert Transaction.objects.count() == 5 and not Unfinished.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_posting_many_needs_an_open_transaction() -> None:
    with pytest.raises(AssertionError, match="transaction"):
        post_many(postings=[_captured("k")])
    assert journal() == []


@pytest.mark.django_db(transaction=True)
def test_batches_with_keys_in_common_neither_deadlock_nor_post_twice() -> None:
    keys = [f"k{number}" for number in range(40)]
    start, answers = Barrier(2), list[Any]()

    def work(order: list[str]) -> None:
        try:
            with transaction.atomic():
                start.wait(PATIENCE)
                answers.extend(post_many(postings=[_captured(key) for key in order]))
        finally:
            connection.close()

    threads = [Thread(target=work, args=(order,)) for order in (keys, keys[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(answer.created for answer in answers) == [False] * 40 + [True] * 40
    assert Transaction.objects.count() == 40
