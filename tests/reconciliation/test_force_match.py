"""Matching by hand: one of a side, one or more of the other, and where the rest goes."""

from typing import Any

import pytest

from ledger.selectors import trial_balance
from reconciliation.errors import ItemsDoNotMatch, NotUnderInvestigation, ReasonMissing, RepairUnderWay
from reconciliation.facts import RepairView
from reconciliation.models import Discrepancy, OpenItem, RepairItem
from reconciliation.services.approve_repair import approve_repair
from reconciliation.services.force_match import force_match
from reconciliation.services.investigate import investigate
from reconciliation.services.reject_repair import reject_repair
from reconciliation.services.repair_discrepancy import repair_discrepancy
from reconciliation.services.undo_repair import undo_repair
from reconciliation.states import Side
from tests.reconciliation.differences import item, missing_here, missing_there, statement

pytestmark = pytest.mark.django_db(transaction=True)

MAX, FAY = "user:1", "user:2"


@pytest.fixture(autouse=True)
def limits(settings: Any) -> None:
    settings.RECONCILIATION_APPROVAL_ABOVE = {"CNY": 10_000}


@pytest.fixture
def theirs() -> Discrepancy:
    """Five thousand of theirs, taken up."""
    row = missing_here(5_000, file=statement())
    investigate(discrepancy=row.public_id, actor=MAX)
    return row


def match(row: Discrepancy, *items: OpenItem, rest: str = "", reason: str = "Same payer") -> RepairView:
    names = [one.public_id for one in items]
    return force_match(discrepancy=row.public_id, items=names, rest=rest, actor=MAX, reason=reason)


def ours(row: Discrepancy, minor: int, **said: Any) -> OpenItem:
    assert row.file is not None
    return item(row.file, minor, Side.OURS, **said)


def balances() -> dict[str, int]:
    return {one.account: one.balance.minor for one in trial_balance().accounts if one.balance.minor}


def is_open(*items: OpenItem) -> list[bool]:
    return [one.cleared_at is None for one in OpenItem.objects.filter(pk__in=[i.pk for i in items])]


def state(row: Discrepancy) -> str:
    row.refresh_from_db()
    return str(row.state)


def test_one_of_theirs_is_several_of_ours_and_their_discrepancies_close(theirs: Discrepancy) -> None:
    first, second = ours(theirs, 3_000), ours(theirs, 2_000)
    beside = missing_there(3_000, file=theirs.file, open_item=first)
    done = match(theirs, first, second)
    assert (done.state, done.posted, balances()) == ("DONE", "", {})
    assert is_open(first, second, theirs.open_item) == [False] * 3  # type: ignore[arg-type]
    assert (state(theirs), state(beside)) == ("RESOLVED", "RESOLVED")
    undo_repair(repair=done.id, actor=FAY, reason="Another payer after all")
    assert is_open(first, second, theirs.open_item) == [True] * 3  # type: ignore[arg-type]
    assert (state(theirs), state(beside)) == ("INVESTIGATING", "INVESTIGATING")
    assert match(theirs, first, second).state == "DONE"


@pytest.mark.parametrize(
    ("rest", "account"),
    [("fee", "channel_fees:wechat"), ("suspense", "suspense"), ("write_off", "write_offs")],
)
def test_the_rest_goes_where_it_is_said(theirs: Discrepancy, rest: str, account: str) -> None:
    one = ours(theirs, 5_030)
    with pytest.raises(ItemsDoNotMatch):
        match(theirs, one)
    done = match(theirs, one, rest=rest)
    assert balances() == {"receivable:wechat": -30, account: 30}
    undo_repair(repair=done.id, actor=MAX, reason="No")
    assert balances() == {}


def test_several_of_theirs_are_one_of_ours(theirs: Discrepancy) -> None:
    assert theirs.file is not None
    more = item(theirs.file, 1_000)
    assert match(theirs, more, ours(theirs, 6_000)).state == "DONE"


def test_what_was_in_suspense_for_them_is_taken_back(theirs: Discrepancy) -> None:
    repair_discrepancy(discrepancy=theirs.public_id, kind="suspense", actor=MAX, reason="Who is it?")
    assert balances() != {}
    match(theirs, ours(theirs, 5_000))
    assert balances() == {}


def test_a_large_match_waits_for_a_second_person() -> None:
    row = missing_here(50_000, file=statement())
    investigate(discrepancy=row.public_id, actor=MAX)
    one = ours(row, 50_000)
    asked = match(row, one)
    assert (asked.state, is_open(one)) == ("WAITING", [True])
    reject_repair(repair=asked.id, actor=FAY, reason="No")
    again = match(row, one)
    assert approve_repair(repair=again.id, actor=FAY).state == "DONE"
    assert is_open(one) == [False]


def test_what_can_not_belong_together_is_refused(theirs: Discrepancy) -> None:
    assert theirs.file is not None
    two, other = [item(theirs.file, 1_000), ours(theirs, 2_000)], ours(theirs, 3_000)
    dollars = ours(theirs, 5_000, currency="USD")
    for items in ([], [two[0]], [dollars], [*two, other]):
        with pytest.raises(ItemsDoNotMatch):
            match(theirs, *items, rest="fee")
    with pytest.raises(ItemsDoNotMatch):
        force_match(discrepancy=theirs.public_id, items=["opn_x"], rest="", actor=MAX, reason="x")
    with pytest.raises(ReasonMissing):
        match(theirs, other, reason=" ")
    OpenItem.objects.clear([other.pk], how="reference", at=theirs.first_seen_at)
    with pytest.raises(ItemsDoNotMatch):
        match(theirs, other, rest="fee")
    beside = missing_here(700, file=theirs.file)
    with pytest.raises(NotUnderInvestigation):
        match(beside, two[1], rest="fee")
    assert (balances(), RepairItem.objects.count()) == ({}, 0)


def test_an_item_is_put_together_once(theirs: Discrepancy) -> None:
    beside = missing_here(20_000, file=theirs.file)
    investigate(discrepancy=beside.public_id, actor=MAX)
    shared = ours(theirs, 20_000)
    match(beside, shared)  # waits
    with pytest.raises(ItemsDoNotMatch):
        match(theirs, shared, rest="fee")
    with pytest.raises(RepairUnderWay):
        match(beside, ours(theirs, 20_000))
