"""The provider says another day what became of a movement: the later word counts, and the money is told once."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import permutations
from typing import Any

import pytest

from ledger.selectors import audit_trail
from reconciliation.invariants import check
from reconciliation.models import Discrepancy, OpenItem
from reconciliation.services.process_statement import process_statement
from reconciliation.services.revisit_open_items import revisit_open_items
from reconciliation.tasks import look_at_open_items_again
from tests.ledger.books import tamper
from tests.reconciliation.bank_files import balance
from tests.reconciliation.statements import DAY, bring, discrepancies, pay, refund, totals
from tests.reconciliation.wechat_bill import NOON, Row, paid, sent_back

pytestmark = pytest.mark.django_db(transaction=True)
NEXT, THIRD, LATER = (DAY + timedelta(days=number) for number in (1, 2, 6))
NOTHING = {(0, 0, 0)}


@pytest.fixture(autouse=True)
def _mchid(settings: Any) -> None:
    settings.WECHAT = {**settings.WECHAT, "mchid": "1900000001"}


def told(rows: Sequence[Row], day: date) -> str:
    """The day's statement is here, matched and settled; nothing that was derived from it is broken."""
    file = bring(rows, day).id
    process_statement(file=file)
    assert set(totals(file).values()) <= NOTHING
    assert [one for _, _, broken in check() for one in broken] == []
    return file


def at_risk() -> int:
    return sum(Discrepancy.objects.unclosed().values_list("amount_at_risk", flat=True))


def refunds(count: int) -> list[tuple[str, str]]:
    """(ref_…, att_…), each of a payment of its own."""
    return [(refund(tea), tea.att) for tea in (pay() for _ in range(count))]


def test_the_final_row_of_a_refund_explains_the_earlier_one() -> None:
    backs = refunds(4)
    states = ["PROCESSING", "FAIL"] * 2
    told(
        [paid(att) for _, att in backs]
        + [sent_back(*back, state=state) for back, state in zip(backs, states, strict=True)],
        DAY,
    )
    assert sorted(discrepancies()) == sorted(("state", back, "OPEN") for back, _ in backs)
    assert balance("channel_fees:wechat") == 4 * 54
    last = told(
        [
            *(sent_back(*back) for back in backs[:2]),
            *(sent_back(*back, theirs=f"other{back[0][-9:]}") for back in backs[2:]),
        ],
        NEXT,
    )
    rows = Discrepancy.objects.all()
    assert {(row.kind, row.state, row.closed_by, row.reason) for row in rows} == {
        ("state", "RESOLVED", "system", f"{last} explains it")
    }
    assert {audit_trail(row.public_id)[-1].actor for row in rows} == {"system"}
    assert balance("channel_fees:wechat") == 4 * (54 - 5)
    told([], THIRD)
    told([], LATER)
    assert len(rows) == len(discrepancies()) == 4


def test_the_earlier_day_may_come_last() -> None:
    one, other = refunds(2)
    told([sent_back(*one), sent_back(*other)], NEXT)
    going = [sent_back(*one, state="PROCESSING"), sent_back(*other, state="FAIL")]
    told([paid(one[1]), paid(other[1]), *going], DAY)
    told([], LATER)
    assert discrepancies() == []
    assert balance("channel_fees:wechat") == 2 * (54 - 5)


def test_a_refund_that_is_done_on_the_second_day_with_us_too() -> None:
    tea = pay()
    back = refund(tea, at=NOON + timedelta(days=1))
    told([paid(tea.att), sent_back(back, tea.att, state="PROCESSING")], DAY)
    told([sent_back(back, tea.att)], NEXT)
    told([], LATER)
    assert discrepancies() == [("state", back, "RESOLVED")]
    assert balance("channel_fees:wechat") == 54 - 5


def test_whatever_stands_beside_it_in_one_file_the_fee_is_kept_once() -> None:
    orders = list(permutations(["FAIL", "PROCESSING", "SUCCESS"]))
    backs = refunds(len(orders))
    rows = [
        sent_back(*back, state=state, theirs=f"{back[0]}{number}")
        for back, order in zip(backs, orders, strict=True)
        for number, state in enumerate(order)
    ]
    told([*(paid(att) for _, att in backs), *rows], DAY)
    assert discrepancies() == []
    assert balance("channel_fees:wechat") == 6 * (54 - 5)


def test_three_days_in_progress_are_one_difference() -> None:
    tea = pay()
    back = refund(tea)
    going = sent_back(back, tea.att, state="PROCESSING")
    told([paid(tea.att), going], DAY)
    told([going], NEXT)
    told([going], THIRD)
    assert discrepancies() == [("state", back, "OPEN")]
    assert at_risk() == 1_000
    told([sent_back(back, tea.att)], LATER)
    assert discrepancies() == [("state", back, "RESOLVED")]


def test_what_failed_in_the_end_is_told_as_that() -> None:
    tea = pay()
    back = refund(tea)
    told([paid(tea.att), sent_back(back, tea.att, state="PROCESSING")], DAY)
    told([sent_back(back, tea.att, state="FAIL")], NEXT)
    assert discrepancies() == [("state", back, "RESOLVED"), ("state", back, "OPEN")]
    assert Discrepancy.objects.unclosed().get(kind="state").their_state == "failed"
    told([paid("SHOP-1", 5)], NEXT)  # a corrected file, which tells nothing of it
    assert [one for one in discrepancies() if one[1] == back] == [
        ("state", back, "OPEN"),
        ("state", back, "RESOLVED"),
    ]
    told([sent_back(back, tea.att)], THIRD)
    assert {state for _, subject, state in discrepancies() if subject == back} == {"RESOLVED"}


def test_what_a_corrected_file_says_of_it_counts() -> None:
    tea = pay()
    back = refund(tea)
    going = sent_back(back, tea.att, state="PROCESSING")
    told([paid(tea.att), going], DAY)
    told([going, paid(tea.att)], DAY)
    assert discrepancies() == [("state", back, "OPEN")]
    told([paid(tea.att)], DAY)
    assert discrepancies() == [("state", back, "RESOLVED")]
    told([], NEXT)
    assert discrepancies() == [("state", back, "RESOLVED"), ("missing_there", back, "OPEN")]
    told([paid(tea.att), sent_back(back, tea.att)], DAY)
    assert {state for _, _, state in discrepancies()} == {"RESOLVED"}
    assert balance("channel_fees:wechat") == 54 - 5


def test_what_a_corrected_file_no_longer_finishes_is_open_again() -> None:
    tea = pay()
    back = refund(tea)
    told([paid(tea.att), sent_back(back, tea.att, state="PROCESSING")], DAY)
    told([sent_back(back, tea.att)], NEXT)
    told([paid("SHOP-1", 5)], NEXT)
    assert ("state", back, "OPEN") in discrepancies()
    assert balance("channel_fees:wechat") == 54


def test_a_late_row_that_is_not_done_is_told_instead_of_what_was_missing() -> None:
    tea = pay()
    back = refund(tea)
    told([paid(tea.att)], DAY)
    told([], NEXT)
    assert discrepancies() == [("missing_there", back, "OPEN")]
    told([sent_back(back, tea.att, state="PROCESSING")], THIRD)
    assert discrepancies() == [("missing_there", back, "RESOLVED"), ("state", back, "OPEN")]
    told([sent_back(back, tea.att)], LATER)
    assert {state for _, _, state in discrepancies()} == {"RESOLVED"}


def test_what_was_missing_is_missing_again_when_its_row_is_taken_back() -> None:
    tea = pay()
    back = refund(tea)
    told([paid(tea.att)], DAY)
    told([], NEXT)
    told([paid(tea.att), sent_back(back, tea.att, state="PROCESSING")], DAY)
    assert discrepancies() == [("missing_there", back, "RESOLVED"), ("state", back, "OPEN")]
    told([paid(tea.att), paid("SHOP-1", 5)], DAY)
    assert [kind for kind, _, state in discrepancies() if state == "OPEN"] == [
        "missing_there",
        "missing_here",
    ]
    told([sent_back(back, tea.att)], THIRD)
    assert {state for _, subject, state in discrepancies() if subject == back} == {"RESOLVED"}


def test_what_failed_with_us_and_is_done_with_them_is_told_once() -> None:
    tea = pay()
    back = refund(tea, state="FAILED")
    told([paid(tea.att), sent_back(back, tea.att, state="PROCESSING")], DAY)
    assert discrepancies() == [("state", back, "OPEN")]
    told([sent_back(back, tea.att)], NEXT)
    assert discrepancies() == [("state", back, "RESOLVED"), ("state", back, "OPEN")]
    assert Discrepancy.objects.unclosed().get(kind="state").their_state == "success"
    assert at_risk() == 1_000
    tamper("UPDATE payments_refund SET state = 'SUCCEEDED', returned_at = %s, booked_at = now()", [NOON])
    revisit_open_items(channel="wechat", now=NOON + timedelta(days=1))
    assert {state for _, _, state in discrepancies()} == {"RESOLVED"}
    assert not OpenItem.objects.filter(cleared_at=None).exists()


_STRANGER = "att_" + "0" * 25


@pytest.mark.parametrize("days", [(DAY, NEXT, THIRD), (THIRD, NEXT, DAY)], ids=["in order", "reversed"])
def test_a_strangers_row_is_missing_once_and_then_told_again(days: Sequence[date]) -> None:
    strangers = {
        "aaa": f"{_STRANGER}1",
        "bcd": f"{_STRANGER}2",
        "eee": "SHOP-17",
        "fgh": "SHOP-18",
        "iii": "",
    }
    for number, day in enumerate(days):
        told([paid(order, 900, theirs=numbers[number]) for numbers, order in strangers.items()], day)
    told([], LATER)
    found = Counter((kind, subject) for kind, subject, _ in discrepancies())
    for numbers, order in strangers.items():
        name = order or numbers[0]
        assert (found.pop(("missing_here", name)), found.pop(("duplicate", name))) == (1, 2)
    assert not found


@pytest.mark.parametrize("last", ["SUCCESS", "FAIL"])
def test_a_strangers_refund_is_what_its_final_row_says(last: str) -> None:
    name = "ref_" + "0" * 25 + "1"
    rows = [sent_back(name, f"{_STRANGER}1", state=state) for state in ("PROCESSING", "PROCESSING", last)]
    for row, day in zip(rows, (DAY, NEXT, THIRD), strict=True):
        told([row], day)
    done = [("missing_here", name, "OPEN")] if last == "SUCCESS" else []
    assert discrepancies() == [("missing_here", name, "RESOLVED"), *done]
    assert at_risk() == 1_000 * len(done)


def test_two_refunds_of_a_stranger_are_two() -> None:
    told([sent_back("SHOP-1", f"{_STRANGER}1", theirs="a")], DAY)
    told([sent_back("SHOP-2", f"{_STRANGER}1", theirs="b")], NEXT)
    assert [kind for kind, _, _ in discrepancies()] == ["missing_here"] * 2


def test_what_our_books_had_later_and_is_told_again_is_a_duplicate() -> None:
    unpaid = pay(10_000, state="FAILED")
    told([paid(unpaid.att)], DAY)
    tamper(
        "UPDATE payments_attempt SET brought = amount, brought_at = created_at, booked_at = now(), state = 'SUCCEEDED'"
    )
    look_at_open_items_again()
    assert (discrepancies(), balance("channel_fees:wechat")) == ([("state", unpaid.att, "RESOLVED")], 54)
    told([paid(unpaid.att, theirs="other")], NEXT)
    assert discrepancies()[1:] == [("duplicate", unpaid.att, "OPEN")]
    assert balance("channel_fees:wechat") == 54
    told([paid(unpaid.att), paid("SHOP-1", 5)], DAY)  # a corrected file tells the same of it
    assert discrepancies()[1:] == [("duplicate", unpaid.att, "OPEN"), ("missing_here", "SHOP-1", "OPEN")]
    assert balance("channel_fees:wechat") == 54
