"""When a statement is wrong: for each kind of difference, the books end as they would be had it told the truth."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from ledger.facts import Entry
from ledger.money import Money
from ledger.selectors import trial_balance
from ledger.services.post import post
from payments.channels.bank.references import transfer_reference
from reconciliation import bank_invariants, invariants
from reconciliation.at_bank import on_their_way
from reconciliation.cases import case_of
from reconciliation.errors import RepairNotOffered, SecondPersonNeeded
from reconciliation.facts import RepairView
from reconciliation.models import Discrepancy
from reconciliation.proposals import proposals
from reconciliation.services.approve_repair import approve_repair
from reconciliation.services.explain_deposits import explain_deposits
from reconciliation.services.investigate import investigate
from reconciliation.services.repair_discrepancy import repair_discrepancy
from reconciliation.services.undo_repair import undo_repair
from reconciliation.states import DiscrepancyKind as K
from tests.ledger.books import tamper
from tests.reconciliation.bank_files import account, bank_file, payout
from tests.reconciliation.differences import difference, missing_here, missing_there, statement
from tests.reconciliation.statements import DAY, Ours, pay, refund
from tests.reconciliation.wechat_bill import NOON

__all__ = ["account"]
pytestmark = pytest.mark.django_db(transaction=True)
MAX, FAY = "user:1", "user:2"
NEXT = DAY + timedelta(days=1)


@pytest.fixture(autouse=True)
def limits(settings: Any) -> None:
    settings.RECONCILIATION_APPROVAL_ABOVE = {"CNY": 1_000_000, "USD": 1_000_000}


def do(row: Discrepancy, kind: str) -> RepairView:
    name = investigate(discrepancy=row.public_id, actor=MAX).id
    return repair_discrepancy(discrepancy=name, kind=kind, actor=MAX, reason="Asked them on the phone")


def offers(row: Discrepancy) -> list[str]:
    return [one.kind.value for one in proposals(case_of(row))]


def balances() -> dict[str, int]:
    rows = [one for one in trial_balance().accounts if one.balance.minor]
    return {f"{one.account} {one.balance.currency}": one.balance.minor for one in rows}


def books(**accounts: int) -> dict[str, int]:
    """As `balances` has them."""
    names = {"bank": "bank:DE001", "owed": "receivable:wechat", "transfers": "receivable:bank"}
    names |= {"transit": "in_transit:wechat", "paid": "customer_prepayments", "suspense": "suspense"}
    return {f"{names[name]} CNY": minor for name, minor in accounts.items() if minor}


def only(kind: K, state: str = "OPEN") -> Discrepancy:
    return Discrepancy.objects.get(kind=kind.value, state=state)


def findings() -> list[str]:
    checks = [*bank_invariants.check(), *invariants.check()]
    # Some files are made without their bytes and rows.
    unmade = ("reconciliation.archives", "reconciliation.rows_of_statements")
    checks = [check for check in checks if check[0] not in unmade]
    return [f"{one.check} {one.detail}" for _, _, found in checks for one in found]


def transfer(amount: int) -> Ours:
    """A customer's, which we booked; it should be on the bank's statement."""
    ours = pay(amount, channel="bank", theirs="SC")
    tamper("UPDATE payments_attempt SET channel_reference = %s WHERE id = %s", [quoted(ours), ours.key])
    money = Money(amount, "CNY")
    with transaction.atomic():
        post(
            business_key=f"pay_{ours.key.hex}:capture:1",
            reference="ord_1",
            description="A customer's transfer",
            entries=[Entry("receivable:bank", money), Entry("customer_prepayments", -money)],
            happened_at=NOON,
        )
    return ours


def quoted(ours: Ours) -> str:
    return transfer_reference(ours.att)


@pytest.mark.parametrize("arrived", [9_000, 11_000])
def test_the_channel_told_another_sum_of_its_payout_than_it_paid(account: Any, arrived: int) -> None:
    one = payout(10_000)
    bank_file(f"{one.grp},{arrived // 100}.00,b1")
    row = only(K.DEPOSIT_AMOUNT)
    assert offers(row)[1:3] == ["correct_payout", "correct_deposit"]
    assert balances() == books(bank=arrived, transit=10_000 - arrived, owed=-10_000)
    assert [row.grp for row in on_their_way()] == [one.grp]
    done = do(row, "correct_payout")
    assert balances() == books(bank=arrived, owed=-arrived)
    assert not on_their_way()
    assert done.amount == Money(1_000, "CNY")
    assert findings() == []
    undo_repair(repair=done.id, actor=FAY, reason="It was the bank")
    do(Discrepancy.objects.get(pk=row.pk), "correct_deposit")
    assert balances() == books(bank=10_000, owed=-10_000)
    assert explain_deposits().reported == 0
    assert balances() == books(bank=10_000, owed=-10_000)
    assert findings() == []


def test_a_payout_that_arrived_and_is_on_no_statement_is_booked_until_a_later_one_has_it(
    account: Any,
) -> None:
    one = payout(10_000)
    bank_file("a stranger,1.00,b1")
    row = only(K.DEPOSIT_MISSING)
    assert offers(row)[:3] == ["wait", "correct_deposit", "correct_payout"]
    do(row, "correct_deposit")
    assert balances() == books(bank=10_000, owed=-10_000)
    bank_file(f"{one.grp},100.00,b2", day=NEXT)
    assert balances() == books(bank=10_000, owed=-10_000)
    row.refresh_from_db()
    assert (row.state, row.closed_by) == ("RESOLVED", "system")
    assert [repair.state for repair in row.repairs.all()] == ["UNDONE"]
    assert findings() == []


def test_a_payout_that_never_was_is_owed_again(account: Any) -> None:
    payout(10_000)
    bank_file("a stranger,1.00,b1")
    do(only(K.DEPOSIT_MISSING), "correct_payout")
    assert balances() == {}


def test_a_correction_that_a_later_statement_contradicts_is_taken_back(account: Any) -> None:
    one = payout(10_000)
    bank_file("a stranger,1.00,b1")
    missing = only(K.DEPOSIT_MISSING)
    do(missing, "correct_deposit")
    # In truth, a part arrived late; and then another.
    bank_file(f"{one.grp},60.00,b2", day=NEXT)
    assert balances() == books(bank=6_000, transit=4_000, owed=-10_000)
    other = only(K.DEPOSIT_AMOUNT)
    do(other, "correct_deposit")
    assert balances() == books(bank=10_000, owed=-10_000)
    bank_file(f"{one.grp},30.00,b3", day=DAY + timedelta(days=2))
    other.refresh_from_db()
    assert (other.state, other.told_amount, other.amount_at_risk) == ("INVESTIGATING", 9_000, 1_000)
    assert balances() == books(bank=9_000, transit=1_000, owed=-10_000)
    do(other, "correct_deposit")
    assert balances() == books(bank=10_000, owed=-10_000)
    assert findings() == []


def test_a_transfer_of_which_the_bank_told_another_sum(account: Any) -> None:
    ours = transfer(5_000)
    bank_file(f"{quoted(ours)},50.05,b1")
    row = only(K.BANK_UNEXPLAINED)
    assert balances() == books(transfers=5_000, paid=-5_000)
    # It was more: what is beyond the transfer is what nobody knows.
    lying = do(row, "suspense")
    assert balances() == books(bank=5_005, paid=-5_000, suspense=-5)
    explain_deposits()
    assert balances() == books(bank=5_005, paid=-5_000, suspense=-5)
    # No, the line was wrong.
    assert "correct" in offers(row)
    do(row, "correct")
    assert balances() == books(bank=5_000, paid=-5_000)
    assert [one.state for one in row.repairs.order_by("pk")] == ["UNDONE", "DONE"]
    assert lying.kind == "suspense"
    assert findings() == []
    # The bank corrects its file: the line is the transfer by itself.
    bank_file(f"{quoted(ours)},50.00,b1")
    row.refresh_from_db()
    assert (row.state, row.closed_by) == ("RESOLVED", "system")
    assert balances() == books(bank=5_000, paid=-5_000)
    assert findings() == []


def test_a_transfer_that_the_bank_told_twice_arrived_once(account: Any) -> None:
    ours = transfer(5_000)
    bank_file(f"{quoted(ours)},50.00,b1", f"{quoted(ours)},50.00,b1")
    one, two = Discrepancy.objects.filter(kind=K.BANK_UNEXPLAINED.value).order_by("line")
    assert "correct" in offers(one)
    assert "suspense" not in offers(one)
    do(one, "correct")
    assert balances() == books(bank=5_000, paid=-5_000)
    explain_deposits()
    two.refresh_from_db()
    assert (two.state, balances()) == ("OPEN", books(bank=5_000, paid=-5_000))
    assert "correct" not in offers(two)
    do(two, "accept")
    explain_deposits()
    assert balances() == books(bank=5_000, paid=-5_000)
    assert findings() == []


def test_a_transfer_that_the_bank_lacks_is_missing_until_a_later_file_has_it(account: Any) -> None:
    ours, other = transfer(5_000), transfer(700)
    days = [DAY + timedelta(days=number) for number in range(4)]
    bank_file(f"{quoted(other)},7.00,b1")
    bank_file("charge,-1.00,b2", day=days[1])
    assert not Discrepancy.objects.filter(kind=K.MISSING_THERE.value).exists()
    bank_file("charge,-1.00,b3", day=days[2])
    row = only(K.MISSING_THERE)
    assert (row.channel, row.subject, row.amount_at_risk) == ("bank", ours.att, 5_000)
    assert (row.file.day_on if row.file else None, row.line_kind) == (DAY, "payment")
    assert explain_deposits().reported == 0
    do(row, "correct")
    assert balances() == books(bank=5_700, paid=-5_700)
    bank_file(f"{quoted(ours)},50.00,b4", day=days[3])
    row.refresh_from_db()
    assert (row.state, row.closed_by) == ("RESOLVED", "system")
    assert [repair.state for repair in row.repairs.all()] == ["UNDONE"]
    assert balances() == books(bank=5_700, paid=-5_700)
    # The bank takes that line back: it is missing again.
    bank_file("charge,-1.00,b5", day=days[3])
    row.refresh_from_db()
    assert (row.state, balances()) == ("OPEN", books(bank=700, transfers=5_000, paid=-5_700))
    assert Discrepancy.objects.filter(kind=K.MISSING_THERE.value).count() == 1
    assert findings() == []


def test_a_refund_that_the_bank_lacks_is_missing(account: Any) -> None:
    ours = transfer(5_000)
    back = refund(ours, 2_000)
    bank_file(f"{quoted(ours)},50.00,b1")
    bank_file("charge,-1.00,b2", day=DAY + timedelta(days=2))
    row = only(K.MISSING_THERE)
    assert (row.subject, row.amount, row.line_kind) == (back, -2_000, "refund")
    do(row, "correct")
    # The refund is in the tables only: its own posting would make the transfers even.
    assert balances() == books(bank=3_000, transfers=2_000, paid=-5_000)


def test_a_transfer_whose_line_is_looked_at_is_not_missing_besides(account: Any) -> None:
    ours = transfer(5_000)
    bank_file(f"{quoted(ours)},51.00,b1")
    bank_file("charge,-1.00,b2", day=DAY + timedelta(days=3))
    assert not Discrepancy.objects.filter(kind=K.MISSING_THERE.value).exists()
    do(Discrepancy.objects.get(subject=ours.att), "accept")
    assert explain_deposits().reported == 0


def test_money_that_the_bank_invented_leaves_nothing_behind(account: Any) -> None:
    bank_file("a stranger,33.33,b1")
    row = only(K.BANK_UNEXPLAINED)
    assert "correct" not in offers(row)
    do(row, "suspense")
    explain_deposits()
    row.refresh_from_db()
    assert (row.state, balances()) == ("INVESTIGATING", books(bank=3_333, suspense=-3_333))
    do(row, "correct")
    row.refresh_from_db()
    assert (row.state, balances()) == ("RESOLVED", {})
    assert explain_deposits().reported == 0


_ROWS = [
    # Our books are right, and the statement's row is not.
    (K.MISSING_THERE, {"fee": 27_400}, "correct", {"channel_fees:wechat CNY": 27, "receivable:wechat CNY": -27}),
    (
        K.CURRENCY,
        {"ours": 5_000, "told": 5_000, "told_currency": "USD", "fee": 27_000, "told_fee": 26_000, "at_risk": 5_000},
        "correct",
        {
            "channel_fees:wechat CNY": 27,
            "receivable:wechat CNY": -27,
            "channel_fees:wechat USD": -26,
            "receivable:wechat USD": 26,
        },
    ),
    (
        K.STATE,
        {"ours": 5_000, "told": 5_000, "their_state": "failed", "fee": 27_000},
        "correct",
        {"channel_fees:wechat CNY": 27, "receivable:wechat CNY": -27},
    ),
    (
        K.STATE,
        {"ours": 5_000, "told": 5_000, "their_state": "processing", "fee": 27_000, "told_fee": 26_000},
        "correct",
        {"channel_fees:wechat CNY": 26, "receivable:wechat CNY": -26},
    ),
    (
        K.AMOUNT,
        {"ours": 5_000, "told": 5_100, "their_state": "failed", "fee": 27_000},
        "correct",
        {"channel_fees:wechat CNY": 27, "receivable:wechat CNY": -27},
    ),
    # The row is right, and our books are not: what was kept of it is a fee.
    (
        K.MISSING_HERE,
        {"told_fee": 27_000},
        "suspense",
        {"receivable:wechat CNY": 4_973, "channel_fees:wechat CNY": 27, "suspense CNY": -5_000},
    ),
    (
        K.DUPLICATE,
        {"told": -5_000, "told_fee": -27_000, "line_kind": "refund"},
        "suspense",
        {"receivable:wechat CNY": -4_973, "channel_fees:wechat CNY": -27, "suspense CNY": 5_000},
    ),
    (
        K.STATE,
        {"ours": 5_000, "told": 5_000, "their_state": "processing", "told_fee": 27_000},
        "suspense",
        {"receivable:wechat CNY": -5_000, "suspense CNY": 5_000},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "said", "repair", "moved"), _ROWS)
def test_a_row_of_a_channel(kind: K, said: dict[str, Any], repair: str, moved: dict[str, int]) -> None:
    made = {K.MISSING_THERE: missing_there, K.MISSING_HERE: missing_here}.get(kind)
    row = made(**said) if made else difference(kind, **said)
    done = do(row, repair)
    assert balances() == moved
    assert findings() == []
    undo_repair(repair=done.id, actor=FAY, reason="No")
    assert balances() == {}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (K.MISSING_THERE, {"line_kind": "dispute", "fee": 15_000}),
        (K.MISSING_THERE, {}),
        (K.AMOUNT, {"ours": 5_000, "told": 4_900, "fee": 27_000, "told_fee": 27_000}),
        (K.FEE, {"ours": 5_000, "told": 5_000, "fee": 27_000, "told_fee": 30_000}),
        (K.LATE, {"ours": 5_000, "told": 5_000}),
        (K.MISSING_HERE, {}),
        (K.DUPLICATE, {"told": 5_000}),
    ],
)
def test_where_nothing_is_booked_by_a_wrong_row_it_is_only_closed(kind: K, said: dict[str, Any]) -> None:
    made = {K.MISSING_THERE: missing_there, K.MISSING_HERE: missing_here}.get(kind)
    row = made(**said) if made else difference(kind, **said)
    with pytest.raises(RepairNotOffered):
        do(row, "correct")
    do(row, "accept")
    assert balances() == {}


def test_a_large_correction_needs_a_second_person(account: Any, settings: Any) -> None:
    settings.RECONCILIATION_APPROVAL_ABOVE = {"CNY": 999}
    one = payout(10_000)
    bank_file(f"{one.grp},90.00,b1")
    asked = do(only(K.DEPOSIT_AMOUNT), "correct_payout")
    before = books(bank=9_000, transit=1_000, owed=-10_000)
    assert (asked.state, balances()) == ("WAITING", before)
    with pytest.raises(SecondPersonNeeded):
        approve_repair(repair=asked.id, actor=MAX)
    assert balances() == before
    approve_repair(repair=asked.id, actor=FAY)
    assert balances() == books(bank=9_000, owed=-9_000)


def test_without_an_account_only_the_channel_can_be_wrong() -> None:
    row = difference(
        K.DEPOSIT_MISSING,
        file=statement(),
        ours=700,
        at_risk=700,
        line_kind="payout",
        ours_facts={"account": "in_transit:wechat"},
    )
    assert "correct_deposit" not in offers(row)
    assert "correct_payout" in offers(row)
