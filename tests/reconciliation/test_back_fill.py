"""What a later file, or our own books, explain: closed by itself, and what people posted meanwhile reversed."""

from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from ledger.selectors import audit_trail, trial_balance
from reconciliation.cases import repairs_of
from reconciliation.models import Discrepancy, OpenItem
from reconciliation.services.approve_repair import approve_repair
from reconciliation.services.explain_discrepancies import explain_discrepancies
from reconciliation.services.force_match import force_match
from reconciliation.services.investigate import investigate
from reconciliation.services.repair_discrepancy import repair_discrepancy
from reconciliation.states import Side
from tests.reconciliation.differences import DAY, item, missing_here, missing_there, statement

pytestmark = pytest.mark.django_db(transaction=True)

MAX, FAY = "user:1", "user:2"
REASON = "stm_x explains it"


@pytest.fixture(autouse=True)
def limits(settings: Any) -> None:
    settings.RECONCILIATION_APPROVAL_ABOVE = {"CNY": 10_000}


def balances() -> dict[str, int]:
    return {one.account: one.balance.minor for one in trial_balance().accounts if one.balance.minor}


def late_file() -> Any:
    return statement(day=DAY.replace(day=DAY.day + 1))


def explain(file: Any) -> int:
    """As matching does: the items are cleared by the file, then what was open about them is closed."""
    with transaction.atomic():
        OpenItem.objects.open().filter(side=Side.OURS.value).update(
            cleared_file=file, cleared_at=timezone.now(), how="reference"
        )
        return explain_discrepancies(
            rows=Discrepancy.objects.filter(open_item__cleared_file=file), reason=REASON
        )


def do(row: Discrepancy, kind: str) -> Any:
    name = investigate(discrepancy=row.public_id, actor=MAX).id
    return repair_discrepancy(discrepancy=name, kind=kind, actor=MAX, reason="No answer from them")


def said(row: Discrepancy) -> tuple[str, str, str]:
    row.refresh_from_db()
    return row.state, row.closed_by, row.reason


def test_what_nobody_touched_is_closed_in_one_go_with_a_trace() -> None:
    statement()
    rows = [missing_there(), missing_there()]
    other = missing_here()
    file = late_file()
    assert explain(file) == 2
    assert [said(row) for row in rows] == [("RESOLVED", "system", REASON)] * 2
    assert said(other)[0] == "OPEN"
    assert [one.after for one in audit_trail(rows[0].public_id)] == ["OPEN", "RESOLVED"]
    assert explain(file) == 0


def test_what_lies_in_suspense_is_reversed() -> None:
    row = missing_there()
    do(row, "suspense")
    assert balances() == {"receivable:wechat": -5_000, "suspense": 5_000}
    assert explain(late_file()) == 1
    assert (said(row), balances()) == (("RESOLVED", "system", REASON), {})
    (repair,) = repairs_of(row.public_id)
    assert (repair.state, repair.undone_by, repair.undo_reason) == ("UNDONE", "system", REASON)


def test_what_was_written_off_is_taken_back() -> None:
    row = missing_there()
    approve_repair(repair=do(row, "write_off").id, actor=FAY)
    assert balances() == {"receivable:wechat": -5_000, "write_offs": 5_000}
    file = late_file()
    assert explain(file) == 1
    assert (said(row), balances()) == (("RESOLVED", "system", REASON), {})
    assert [one.after for one in audit_trail(row.public_id) if one.action == "discrepancy.state"] == [
        *("OPEN", "INVESTIGATING", "WRITTEN_OFF", "RESOLVED")
    ]
    assert explain(file) == 0


def test_what_waits_for_a_second_person_is_turned_down() -> None:
    row = missing_there(20_000)
    do(row, "suspense")
    explain(late_file())
    (repair,) = repairs_of(row.public_id)
    assert (repair.state, repair.undone_by, balances()) == ("REFUSED", "system", {})
    assert said(row)[0] == "RESOLVED"


def test_what_people_settled_without_a_posting_stays_theirs() -> None:
    row = missing_there()
    do(row, "accept")
    assert explain(late_file()) == 0
    assert said(row) == ("RESOLVED", MAX, "No answer from them")


def test_a_match_by_hand_is_taken_apart_when_its_file_is_corrected() -> None:
    file = statement()
    row = missing_here(5_000, file=file)
    ours = item(file, 4_900, Side.OURS)
    investigate(discrepancy=row.public_id, actor=MAX)
    force_match(
        discrepancy=row.public_id, items=[ours.public_id], rest="write_off", actor=MAX, reason="Same payer"
    )
    assert balances() == {"receivable:wechat": 100, "write_offs": -100}
    with transaction.atomic():
        explain_discrepancies(rows=Discrepancy.objects.filter(file=file), reason="stm_y corrects it")
    ours.refresh_from_db()
    assert (balances(), ours.cleared_at, said(row)[2]) == ({}, None, "stm_y corrects it")
