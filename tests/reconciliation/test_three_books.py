"""A day whose statement is wrong in many ways: every difference of its books has a name, and nothing is left over."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from ledger.facts import Entry
from ledger.money import Money
from ledger.services.post import post
from reconciliation.models import Discrepancy
from reconciliation.rules import rounded
from reconciliation.services.investigate import investigate
from reconciliation.services.repair_discrepancy import repair_discrepancy
from reconciliation.services.settle_statement import settle_statement
from reconciliation.three_books import DayReport, day_reports
from tests.ledger.books import tamper
from tests.reconciliation.bank_files import account, bank_file, payout
from tests.reconciliation.operators import person
from tests.reconciliation.statements import DAY, Ours, match, pay, refund
from tests.reconciliation.wechat_bill import NOON, Row, fee_of, paid, sent_back

__all__ = ["account"]
pytestmark = pytest.mark.django_db(transaction=True)
NEXT = DAY + timedelta(days=1)


@pytest.fixture(autouse=True)
def limits(settings: Any) -> None:
    settings.WECHAT = {**settings.WECHAT, "mchid": "1900000001"}
    settings.RECONCILIATION_APPROVAL_ABOVE = {"CNY": 1_000_000}


def taken(amount: int, **more: Any) -> Ours:
    """It is in our books and in the ledger."""
    ours = pay(amount, **more)
    money = Money(amount, ours.currency)
    with transaction.atomic():
        post(
            business_key=f"pay_{ours.key.hex}:capture:1",
            reference="ord_1",
            description="captured",
            entries=[Entry("receivable:wechat", money), Entry("customer_prepayments", -money)],
            happened_at=ours.at,
        )
    return ours


def settled(rows: list[Row], day: Any = DAY) -> None:
    settle_statement(file=match(rows, day).id)


def report(day: Any = DAY) -> DayReport:
    [found] = [one for one in day_reports("wechat", day) if one.currency == "CNY"]
    return found


def fees(found: DayReport) -> tuple[int | None, int | None]:
    [row] = [row for row in found.rows if row.kind == "fee"]
    return row.statement, row.ledger


def named(found: DayReport) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for one in found.differences:
        if one.between == "statement_ledger":
            sums[one.kind] += one.amount
    return dict(sums)


def test_every_difference_of_a_wrong_statement_has_a_name() -> None:
    same, dear, other, missing = taken(10_000), taken(20_000), taken(30_000), taken(40_000)
    stranger = "att_" + "0" * 26
    rows = [
        *(paid(same.att), paid(same.att), paid(dear.att, 20_000, fee=900_000)),
        *(paid(other.att, 30_100, fee=162_000), paid(stranger, 5_000)),
    ]
    settled(rows)
    found = report()
    assert found.unexplained == ()
    # 54, twice; 900 instead of 108; 162; 27 of a stranger's.
    assert fees(found) == (-(54 * 2 + 900 + 162 + 27), -(54 + 108 + 162))
    assert named(found) == {"fee:fee": 108 - 900, "only_theirs:fee": -(54 + 27)}
    # What people decide is of another day, and the names stay.
    row = Discrepancy.objects.get(kind="fee")
    name = investigate(discrepancy=row.public_id, actor="user:1").id
    repair_discrepancy(discrepancy=name, kind="post_fee", actor="user:1", reason="As billed")
    assert (report().unexplained, named(report())) == ((), named(found))
    # The row that lacked comes on the next day, with the time at which it was made.
    settled([paid(missing.att, 40_000, at=missing.at)], NEXT)
    for day in (DAY, NEXT):
        assert report(day).unexplained == ()
    # The channel corrects the day: its fees are posted anew, and the first ones are named.
    settled([paid(same.att), paid(dear.att, 20_000), paid(other.att, 30_000)])
    found = report()
    assert found.unexplained == ()
    assert fees(found)[0] == -(54 + 108 + 162)
    client = person("finance")
    page = client.get("/console/reconciliation/books/", {"channel": "wechat", "day": DAY.isoformat()}).text
    assert "nothing unexplained" in page


def test_what_rounding_left_over_is_of_the_statements_day() -> None:
    some = [taken(10_000 + number) for number in range(3)]
    settled([paid(one.att, one.amount, fee=54_400) for one in some])
    found = report()
    assert fees(found) == (-rounded(3 * 54_400), -rounded(3 * 54_400))
    assert (found.unexplained, named(found)) == ((), {})


def test_what_nobody_can_name_is_unexplained() -> None:
    one = taken(10_000)
    settled([paid(one.att)])
    money = Money(7, "CNY")
    with transaction.atomic():
        post(
            business_key="att_x:fee",
            reference="ord_1",
            description="by mistake",
            entries=[Entry("channel_fees:wechat", money), Entry("receivable:wechat", -money)],
            happened_at=NOON,
        )
    assert [(one.between, one.kind, one.amount) for one in report().unexplained] == [
        ("statement_ledger", "fee", 7)
    ]


def test_a_payout_that_was_corrected_is_on_its_way_no_more(account: Any) -> None:
    one, _ = payout(10_000), payout(500)
    bank_file(f"{one.grp},90.00,b1")
    assert report().in_transit[1].minor == 1_500
    row = Discrepancy.objects.get(kind="deposit_amount")
    name = investigate(discrepancy=row.public_id, actor="user:1").id
    repair_discrepancy(discrepancy=name, kind="correct_payout", actor="user:1", reason="Asked them")
    assert [money.minor for money in report().in_transit] == [0, 500]


_MOMENT = "UPDATE payments_attempt SET brought_at = %s WHERE kind = 'CAPTURE' AND sequence = %s"


@pytest.mark.parametrize("first", [1, 2])
def test_captures_on_both_sides_of_midnight_have_a_fee_each(first: int) -> None:
    held = taken(40_000, parts=(10_000, 30_000))
    tamper(_MOMENT, [NOON.replace(hour=23, minute=59, second=59), 3 - first])
    before, after = held.parts[first - 1], held.parts[2 - first]
    settled([paid(held.att, before, theirs="a")])
    settled([paid(held.att, after, theirs="b", at=NOON.replace(hour=0, second=1))], NEXT)
    for day, part in ((DAY, before), (NEXT, after)):
        found = report(day)
        assert (found.unexplained, named(found)) == ((), {})
        assert fees(found) == (-rounded(fee_of(part)), -rounded(fee_of(part)))
    settled([paid(held.att, after, theirs="b")], NEXT)
    assert report(NEXT).unexplained == ()


def test_the_fee_of_a_refund_that_is_done_the_next_day_is_of_that_day() -> None:
    tea = taken(10_000)
    back = refund(tea)
    settled([paid(tea.att), sent_back(back, tea.att, state="PROCESSING")])
    assert fees(report()) == (-54, -54)
    settled([sent_back(back, tea.att)], NEXT)
    assert fees(report(NEXT)) == (5, 5)
    for day in (DAY, NEXT):
        assert {one.between for one in report(day).unexplained} <= {"payments_ledger"}  # of our refund
