"""From a bill's bytes to differences: each fault has its kind, and nothing else is told."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from django.db import OperationalError, connection
from psycopg.errors import DiskFull, OutOfMemory

from reconciliation.models import Discrepancy, OpenItem, StatementFile
from reconciliation.services.revisit_open_items import revisit_open_items
from reconciliation.staging import pools, table
from tests.ledger.books import tamper
from tests.reconciliation.statements import DAY, bring, discrepancies, match, pay, refund, totals
from tests.reconciliation.wechat_bill import NOON, paid, sent_back

pytestmark = pytest.mark.django_db(transaction=True)
NEXT = DAY + timedelta(days=1)
NOTHING = {(0, 0, 0)}


@pytest.fixture(autouse=True)
def _mchid(settings: Any) -> None:
    settings.WECHAT = {**settings.WECHAT, "mchid": "1900000001"}


def test_what_agrees_leaves_no_row() -> None:
    tea, hat = pay(), pay(5_000)
    back = refund(tea)
    done = match([paid(tea.att), paid(hat.att, 5_000), sent_back(back, tea.att)])
    assert (done.state, done.rows, done.matched) == ("MATCHED", 3, 3)
    assert discrepancies() == []
    assert not OpenItem.objects.exists()
    assert set(totals(done.id).values()) == NOTHING


def test_a_strange_line_of_a_payment_leaves_its_refunds_that_agree() -> None:
    tea = pay()
    back = refund(tea)
    match([paid(tea.att), sent_back(back, tea.att), sent_back("SHOP-17", tea.att)])
    assert not OpenItem.objects.filter(side="ours").exists()


def test_every_kind_of_difference_has_its_name() -> None:
    fine, dear, foreign, slow, fee, twice, gone, failed = (pay(10_000 + number) for number in range(8))
    unpaid = pay(3_000, state="FAILED")
    old = pay(7_777, at=NOON - timedelta(days=5))
    stranger = "att_" + "0" * 26
    back = refund(slow)
    done = match(
        [
            paid(fine.att, fine.amount),
            paid(dear.att, dear.amount + 100),
            paid(foreign.att, foreign.amount, currency="HKD"),
            paid(slow.att, slow.amount),
            sent_back(back, slow.att, state="PROCESSING"),
            paid(fee.att, fee.amount, fee=fee.amount * 10),
            paid(twice.att, twice.amount),
            paid(twice.att, twice.amount, theirs="42000"),
            paid(failed.att, failed.amount),
            paid(unpaid.att, unpaid.amount),
            paid(old.att, old.amount),
            paid(stranger, 900),
            paid("SHOP-17", 901),
        ]
    )
    assert set(discrepancies()) == {
        ("amount", dear.att, "OPEN"),
        ("currency", foreign.att, "OPEN"),
        ("state", back, "OPEN"),
        ("fee", fee.att, "OPEN"),
        ("duplicate", twice.att, "OPEN"),
        ("state", unpaid.att, "OPEN"),
        ("late", old.att, "OPEN"),
        ("missing_here", stranger, "OPEN"),
        ("missing_here", "SHOP-17", "OPEN"),
    }
    assert done.matched == done.rows - 4
    waiting = OpenItem.objects.filter(side="ours", cleared_at=None)
    assert {one.reference for one in waiting} == {gone.att, back}
    assert set(totals(done.id).values()) == NOTHING


def test_what_is_missing_is_told_when_the_next_statement_has_not_got_it_either() -> None:
    gone, late = pay(100), pay(200)
    match([])
    assert discrepancies() == []
    match([paid(late.att, 200)], NEXT)
    assert discrepancies() == [("missing_there", gone.att, "OPEN")]
    assert OpenItem.objects.get(reference=late.att).how == "reference"


def test_two_captures_of_one_payment_may_both_be_missing() -> None:
    gone = pay(300, parts=(100, 200))
    match([])
    match([], NEXT)
    assert discrepancies() == [("missing_there", gone.att, "OPEN")] * 2


def test_a_wrong_fee_of_one_capture_is_that_and_nothing_is_missing() -> None:
    held = pay(900, parts=(300, 600))
    done = match([paid(held.att, 300, theirs="a", fee=3500), paid(held.att, 600, theirs="b")])
    match([], NEXT)
    assert discrepancies() == [("fee", held.att, "OPEN")]
    assert not OpenItem.objects.exists()
    assert set(totals(done.id).values()) == NOTHING


def test_a_payment_that_is_told_twice_with_the_same_wrong_fee_is_ours_once() -> None:
    tea = pay(900)
    wrong = [paid(tea.att, 900, theirs="a", fee=3500), paid(tea.att, 900, theirs="b", fee=3500)]
    done = match(wrong)
    match([], NEXT)
    assert discrepancies() == [("fee", tea.att, "OPEN"), ("duplicate", tea.att, "OPEN")]
    assert not OpenItem.objects.filter(side="ours").exists()
    assert set(totals(done.id).values()) == NOTHING


@pytest.mark.parametrize("state", ["FAIL", "PROCESSING"])
@pytest.mark.parametrize("where", [0, 1, 2])
def test_what_was_not_done_at_first_is_told_with_what_was(state: str, where: int) -> None:
    tea = pay()
    back = refund(tea)
    rows = [paid(tea.att), sent_back(back, tea.att)]
    rows.insert(where, sent_back(back, tea.att, state=state, theirs="a"))
    done = match(rows)
    match([], NEXT)
    assert discrepancies() == []
    assert done.matched == 3
    assert set(totals(done.id).values()) == NOTHING


def test_a_row_without_our_name_that_repeats_another_is_no_other_payment() -> None:
    tea, hat = pay(900), pay(900)
    done = match([paid(tea.att, 900, theirs="T"), paid("", 900, theirs="T")])
    match([], NEXT)
    assert set(discrepancies()) == {("duplicate", "T", "OPEN"), ("missing_there", hat.att, "OPEN")}
    assert set(totals(done.id).values()) == NOTHING


def test_a_payment_that_is_told_twice_far_apart_is_a_duplicate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_STEP", 1)
    monkeypatch.setattr("reconciliation.archive._BATCH", 1)
    tea, hat = pay(900), pay(100)
    rows = [paid(tea.att, 900), paid(hat.att, 100), paid(tea.att, 900, theirs="b")]
    done = match(rows)
    assert discrepancies() == [("duplicate", tea.att, "OPEN")]
    assert (done.rows, done.matched) == (3, 2)
    assert set(totals(done.id).values()) == NOTHING


@pytest.mark.parametrize("too_little", [DiskFull, OutOfMemory])
def test_where_processes_can_share_no_memory_one_does_it_alone(
    too_little: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = pools.run

    def run(sql: str, values: dict[str, Any] | None = None) -> int:
        if "TABLE odd" in sql and _workers() != "0":
            raise OperationalError("could not resize shared memory segment") from too_little()
        return shared(sql, values)

    monkeypatch.setattr(pools, "run", run)
    tea = pay(900)
    match([paid(tea.att, 907)])
    assert discrepancies() == [("amount", tea.att, "OPEN")]


def _workers() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW max_parallel_workers_per_gather")
        return str(cursor.fetchone()[0])


def test_a_file_that_comes_later_explains_what_was_missing() -> None:
    gone = pay(100)
    match([])
    match([], NEXT)
    assert discrepancies() == [("missing_there", gone.att, "OPEN")]
    third = match([paid(gone.att, 100)], DAY + timedelta(days=2))
    assert discrepancies() == [("missing_there", gone.att, "RESOLVED")]
    assert set(totals(third.id).values()) == NOTHING


def test_what_comes_late_before_anybody_missed_it_is_late() -> None:
    gone = pay(100)
    match([])
    match([paid(gone.att, 100)], DAY + timedelta(days=3))
    assert discrepancies() == [("late", gone.att, "OPEN")]
    assert not OpenItem.objects.filter(cleared_at=None).exists()


def test_across_midnight_either_way() -> None:
    early, late = pay(100, at=NOON + timedelta(hours=13)), pay(200, at=NOON + timedelta(hours=11, minutes=59))
    first = match([paid(early.att, 100)])
    second = match([paid(late.att, 200)], NEXT)
    assert discrepancies() == []
    assert not OpenItem.objects.filter(cleared_at=None).exists()
    assert set(totals(first.id).values()) | set(totals(second.id).values()) == NOTHING


def test_the_same_row_on_two_days_is_a_duplicate() -> None:
    tea = pay()
    match([paid(tea.att)])
    match([paid(tea.att)], NEXT)
    assert discrepancies() == [("duplicate", tea.att, "OPEN")]


def test_parts_and_sums_agree() -> None:
    held, plain, once = pay(900, parts=(300, 600)), pay(5_000), pay(800, parts=(200, 600))
    backs = [refund(plain, 1_000), refund(plain, 500)]
    done = match(
        [
            paid(held.att, 300, theirs="a"),
            paid(held.att, 600, theirs="b"),
            paid(plain.att, 5_000),
            sent_back(backs[0], plain.att, 1_500),
            paid(once.att, 800),
        ]
    )
    assert discrepancies() == []
    assert not OpenItem.objects.exists()
    assert set(totals(done.id).values()) == NOTHING


def test_without_our_reference_it_goes_by_theirs_then_by_sum_and_time() -> None:
    known, _, one, other = pay(100), pay(200), pay(300), pay(300)
    done = match(
        [
            paid("", 100, theirs=known.theirs),
            paid("", 200, theirs="x", at=NOON + timedelta(minutes=3)),
            paid("", 300, theirs="y"),
            paid(other.att, 300),
        ]
    )
    assert done.matched == 4
    assert not OpenItem.objects.exists()
    assert discrepancies() == []
    assert one.att != other.att


def test_a_refund_that_came_back_and_was_sent_again() -> None:
    tea = pay()
    at = NOON.isoformat()
    came_back = f'[{{"part": 1, "returned_at": "{at}", "back_at": "{at}", "booked_at": "{at}"}}]'
    back = refund(tea, came_back=came_back, movement=2)
    match([paid(tea.att), sent_back(back, tea.att), sent_back(f"{back}_2", tea.att, theirs="5030-2")])
    assert discrepancies() == []
    (waiting,) = OpenItem.objects.filter(cleared_at=None)
    assert (waiting.kind, waiting.amount) == ("refund_returned", 1_000)


def test_the_same_file_again_changes_nothing() -> None:
    tea = pay()
    rows = [paid(tea.att, 9_000)]
    first = match(rows)
    assert bring(rows) == first
    assert match(rows) == first
    assert len(discrepancies()) == 1
    assert StatementFile.objects.count() == 1


def test_a_corrected_file_takes_the_place_of_the_first() -> None:
    wrong, right, still = pay(100), pay(200), pay(300)
    first = match([paid(wrong.att, 150), paid(right.att, 200), paid(still.att, 310)])
    assert len(discrepancies()) == 2
    second = match([paid(wrong.att, 100), paid(right.att, 200), paid(still.att, 310), paid("SHOP-1", 5)])
    assert set(discrepancies()) == {
        ("amount", wrong.att, "RESOLVED"),
        ("amount", still.att, "OPEN"),
        ("missing_here", "SHOP-1", "OPEN"),
    }
    assert (second.supersedes, second.state) == (first.id, "MATCHED")
    assert StatementFile.objects.by_public_id(first.id).state == "SUPERSEDED"
    assert set(totals(second.id).values()) == NOTHING


def test_what_a_corrected_file_lacks_still_is_still_missing() -> None:
    gone, back = pay(100), pay(200)
    match([])
    match([], NEXT)
    second = match([paid(back.att, 200)])
    assert set(discrepancies()) == {
        ("missing_there", gone.att, "OPEN"),
        ("missing_there", back.att, "RESOLVED"),
    }
    row = Discrepancy.objects.get(subject=gone.att)
    assert row.file is not None and (row.file.public_id, row.times_seen) == (second.id, 2)
    match([paid(gone.att, 100), paid(back.att, 200)])
    assert {state for _, _, state in discrepancies()} == {"RESOLVED"}
    assert not OpenItem.objects.filter(cleared_at=None).exists()


def test_what_a_corrected_file_no_longer_explains_is_open_again() -> None:
    gone, early = pay(100), pay(200, at=NOON + timedelta(days=1))
    match([])
    last = DAY + timedelta(days=3)
    match([], NEXT + timedelta(days=1))
    assert discrepancies() == [("missing_there", gone.att, "OPEN")]
    match([paid(gone.att, 100), paid(early.att, 200)], last)
    assert discrepancies() == [("missing_there", gone.att, "RESOLVED"), ("late", early.att, "OPEN")]
    match([paid("SHOP-9", 5)], last)
    assert discrepancies() == [
        ("missing_there", gone.att, "OPEN"),
        ("late", early.att, "RESOLVED"),
        ("missing_here", "SHOP-9", "OPEN"),
    ]
    (left,) = OpenItem.objects.filter(side="ours", cleared_at=None)
    assert left.reference == gone.att
    match([], NEXT)
    assert ("missing_there", early.att, "OPEN") in discrepancies()


def test_what_is_booked_after_its_statement_is_found_by_the_clock() -> None:
    unpaid = pay(3_000, state="FAILED")
    match([paid(unpaid.att, 3_000)])
    assert discrepancies() == [("state", unpaid.att, "OPEN")]
    late = pay(4_000)
    tamper(
        "UPDATE payments_attempt SET brought = amount, brought_at = created_at, booked_at = now(), state = 'SUCCEEDED'"
    )
    now = NOON + timedelta(days=2)
    assert revisit_open_items(channel="wechat", now=now) == 0
    assert discrepancies() == [("state", unpaid.att, "RESOLVED")]
    assert OpenItem.objects.get(side="ours").reference == late.att
    assert revisit_open_items(channel="wechat", now=now + timedelta(days=1)) == 1
    assert discrepancies()[-1] == ("missing_there", late.att, "OPEN")
    assert revisit_open_items(channel="wechat", now=now + timedelta(days=2)) == 0


def test_what_differs_goes_with_what_is_nearest_in_whatever_order() -> None:
    held, rows = [], []
    for number, order in enumerate(permutations([(302, "a"), (600, "b"), (600, "c"), (1_197, "d")])):
        one = pay(2_100, parts=(300, 600, 1_200), at=NOON + timedelta(minutes=number))
        held.append(one.att)
        rows += [paid(one.att, amount, theirs=f"{number}{name}", at=one.at) for amount, name in order]
    done = match(rows)
    match([], NEXT)
    told = Discrepancy.objects.values_list("subject", "kind", "amount", "told_amount")
    assert Counter(told) == Counter(
        (att, *what)
        for att in held
        for what in [("amount", 300, 302), ("amount", 1_200, 1_197), ("duplicate", 0, 600)]
    )
    assert set(totals(done.id).values()) == NOTHING


def test_of_the_same_sum_the_nearest_fee_and_time_count() -> None:
    tea = pay(900)
    held = pay(1_200, parts=(600, 600))
    evening = NOON + timedelta(hours=6)
    tamper("UPDATE payments_attempt SET brought_at = %s WHERE kind = 'CAPTURE' AND sequence = 2", [evening])
    match(
        [
            *(paid(tea.att, 900, theirs="a", fee=3500), paid(tea.att, 900, theirs="b")),
            paid(held.att, 605, theirs="e", at=evening),
        ]
    )
    match([], NEXT)
    told = [(kind, their) for kind, their in Discrepancy.objects.values_list("kind", "their_reference")]
    assert sorted(told) == [("amount", "e"), ("duplicate", "a"), ("missing_there", "")]
    [moment] = Discrepancy.objects.filter(kind="amount").values_list("ours__happened_at", flat=True)
    assert datetime.fromisoformat(str(moment)) == evening
