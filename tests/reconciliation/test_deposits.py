"""Which deposit is which payout: what the bank's lines say, what their sums say, and what is posted."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from payments.channels import registry
from reconciliation.models import (
    BankLine,
    BankMapping,
    Deposit,
    Discrepancy,
    Settlement,
    StatementRun,
)
from reconciliation.rules import Came, Expected, deposits
from reconciliation.services.explain_deposits import explain_deposits
from tests.reconciliation.bank_files import account, balance, bank_file, discrepancies, findings, payout
from tests.reconciliation.statements import DAY
from tests.reconciliation.wechat_bill import NOON

__all__ = ["account"]
pytestmark = pytest.mark.django_db(transaction=True)


KEYS = [UUID(int=number) for number in range(1, 20)]


def expected(number: int, amount: int, channel: str = "wechat", words: str = "") -> Expected:
    return Expected(
        KEYS[number], channel, words or f"PAYOUT{number:08d}", amount, DAY, DAY + timedelta(days=3)
    )


def came(number: int, amount: int, text: str = "transfer", days: int = 1) -> Came:
    return Came(KEYS[number], amount, DAY + timedelta(days=days), text)


@pytest.mark.parametrize(
    ("payouts", "lines", "found"),
    [
        ([expected(0, 100)], [came(9, 100, "wechat payout 00000000")], [(9, 0, 100, "reference")]),
        ([expected(0, 100)], [came(9, 90, "PAYOUT00000000")], [(9, 0, 90, "split")]),
        ([expected(0, 100)], [came(9, 100)], [(9, 0, 100, "amount")]),
        # What names it and is all of it goes before what names it and is part of it.
        (
            [expected(0, 100)],
            [came(8, 90, "PAYOUT00000000"), came(9, 100, "PAYOUT00000000")],
            [(9, 0, 100, "reference")],
        ),
        ([expected(0, 100)], [came(9, 100, days=9)], []),
        ([expected(0, 100), expected(1, 100)], [came(9, 100)], []),
        ([expected(0, 100)], [came(8, 100), came(9, 100)], []),
        (
            [expected(0, 100), expected(1, 250)],
            [came(9, 350)],
            [(9, 0, 100, "several"), (9, 1, 250, "several")],
        ),
        ([expected(0, 100), expected(1, 250, "alipay")], [came(9, 350)], []),
        ([expected(0, 100)], [came(8, 30), came(9, 70)], [(8, 0, 30, "split"), (9, 0, 70, "split")]),
        ([expected(0, 1), expected(1, 2), expected(2, 3)], [came(9, 3)], [(9, 2, 3, "amount")]),
        ([expected(0, 10), expected(1, 40), expected(2, 20), expected(3, 30)], [came(9, 50)], []),
        # It names one of two: what else it brought is the other, when just one can be meant.
        (
            [expected(0, 100), expected(1, 250)],
            [came(9, 350, "PAYOUT00000000")],
            [(9, 0, 100, "several"), (9, 1, 250, "several")],
        ),
        (
            [expected(0, 100), expected(1, 250), expected(2, 250)],
            [came(9, 350, "PAYOUT00000000")],
            [(9, 0, 350, "split")],
        ),
    ],
)
def test_which_deposit_is_which_payout(
    payouts: list[Expected], lines: list[Came], found: list[tuple[int, int, int, str]]
) -> None:
    told = [
        (KEYS.index(one.line), KEYS.index(one.payout), one.amount, one.how.value)
        for one in deposits(payouts, lines)
    ]
    assert told == found


def test_deposits_are_posted_and_what_nobody_explains_is_told(account: BankMapping) -> None:
    one, two, three = payout(10_000), payout(2_000, group="SETTLED-20260302"), payout(700)
    assert balance("in_transit:wechat") == 12_700
    bank_file(f"from {one.grp},100.00,b1", "SETTLED 20260302 less,15.00,b2", "a stranger,33.33,b3")
    assert balance("bank:DE001") == 11_500
    assert balance("in_transit:wechat") == 12_700 - 11_500
    # March is long ago: what did not arrive is missing, whatever the bank has told of so far.
    told = {("bank_unexplained", "OPEN", 3_333), ("deposit_missing", "OPEN", 700)}
    assert set(discrepancies()) == told | {("deposit_amount", "OPEN", 500)}
    bank_file("SETTLED 20260302 rest,5.00,b4", "charge,-1.00,b5", day=DAY + timedelta(days=1))
    told |= {("bank_unexplained", "OPEN", 100)}
    assert set(discrepancies()) == told | {("deposit_amount", "RESOLVED", 500)}
    assert {row.state for row in Settlement.objects.exclude(pk=three.pk)} == {"DEPOSITED"}
    assert balance("in_transit:wechat") == 700
    assert two.net_amount == 2_000
    assert findings() == []


def test_nothing_is_missing_while_a_statement_of_the_bank_is(account: BankMapping, monkeypatch: Any) -> None:
    monkeypatch.setattr(registry, "configured", lambda: ("bank", "wechat"))
    payout(700)
    with transaction.atomic():
        gap = StatementRun(channel="bank", kind="camt.053", day_on=DAY + timedelta(days=2), next_try_at=NOON)
        gap.attempts = 1
        gap.save(force_insert=True)
    bank_file("a stranger,33.33,b1", day=DAY + timedelta(days=6))
    assert discrepancies() == [("bank_unexplained", "OPEN", 3_333)]
    with transaction.atomic():
        gap.find_empty()
        gap.store()
    assert explain_deposits().reported == 1
    assert discrepancies()[1:] == [("deposit_missing", "OPEN", 700)]


def test_two_payouts_in_one_line_are_told_apart_when_the_second_is_known(account: BankMapping) -> None:
    one = payout(10_000)
    bank_file(f"{one.grp} and more,125.00,b1")
    assert discrepancies() == [("deposit_amount", "OPEN", 2_500)]
    two = payout(2_500)
    assert explain_deposits().explained == 1
    assert discrepancies() == [("deposit_amount", "RESOLVED", 2_500)]
    assert {row.state for row in Settlement.objects.all()} == {"DEPOSITED"}
    assert [row.amount for row in two.deposits.all()] == [2_500]
    assert (balance("in_transit:wechat"), balance("bank:DE001")) == (0, 12_500)
    assert explain_deposits() == (0, 0)
    assert findings() == []


def test_a_name_is_worth_more_than_a_sum_whenever_it_comes(account: BankMapping) -> None:
    """The line of the second payout came first, and was taken for the first, whose own line was late."""
    one = payout(10_000)
    bank_file("SETTLED 20260303,100.00,b2", day=DAY + timedelta(days=1))
    assert [row.amount for row in one.deposits.all()] == [10_000]
    two = payout(10_000, group="SETTLED-20260303", day=DAY + timedelta(days=1))
    bank_file(f"{one.grp},100.00,b1")
    assert {row.settlement_id: row.bank_line.their_reference for row in Deposit.objects.all()} == {
        one.pk: "b1",
        two.pk: "b2",
    }
    assert set(BankLine.objects.values_list("how", flat=True)) == {"reference"}
    assert (balance("in_transit:wechat"), balance("bank:DE001")) == (0, 20_000)
    assert explain_deposits() == (0, 0)
    assert findings() == []


def test_what_was_guessed_wrong_is_told_again_until_it_is_explained(account: BankMapping) -> None:
    bank_file("SETTLED 20260303,100.00,b2", day=DAY + timedelta(days=1))
    assert discrepancies() == [("bank_unexplained", "OPEN", 10_000)]
    one = payout(10_000)
    explain_deposits()
    assert discrepancies() == [("bank_unexplained", "RESOLVED", 10_000)]
    bank_file(f"{one.grp},100.00,b1")
    assert discrepancies() == [("bank_unexplained", "OPEN", 10_000)]
    payout(10_000, group="SETTLED-20260303", day=DAY + timedelta(days=1))
    explain_deposits()
    assert discrepancies() == [("bank_unexplained", "RESOLVED", 10_000)]
    assert (balance("in_transit:wechat"), balance("bank:DE001")) == (0, 20_000)
    assert findings() == []


def test_a_corrected_bank_file_keeps_what_is_the_same(account: BankMapping) -> None:
    one, two = payout(10_000), payout(20_000)
    bank_file(f"{one.grp},100.00,b1", f"{two.grp},200.00,b2")
    assert balance("in_transit:wechat") == 0
    bank_file("new,1.00,b0", f"{one.grp},100.00,b1")
    assert (balance("in_transit:wechat"), balance("bank:DE001")) == (20_000, 10_000)
    assert sorted(BankLine.objects.values_list("their_reference", "state")) == [
        ("b0", "OPEN"),
        ("b1", "EXPLAINED"),
        ("b2", "GONE"),
    ]
    assert findings() == []


def test_what_a_person_has_booked_is_left_alone(account: BankMapping) -> None:
    bank_file("later explained,50.00,b1")
    Discrepancy.objects.filter(kind="bank_unexplained").explain_open(actor="user:7", reason="a gift", at=NOON)
    payout(5_000)
    assert explain_deposits().explained == 0
    assert balance("bank:DE001") == 0
