"""Fees, corrections and crashes, with the bills of a channel and a bank's CSV brought by hand."""

import io
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from ledger import selectors as ledger
from ledger.postings import transactions_by_key
from reconciliation.fee_names import FeeNames
from reconciliation.models import (
    BankLine,
    BankMapping,
    Discrepancy,
    Settlement,
    StatementFile,
    StatementTotal,
)
from reconciliation.rows import Line
from reconciliation.rules import PayoutTerms, rounded
from reconciliation.runs import payout_terms
from reconciliation.services import settle_statement as settling
from reconciliation.services.announce_payouts import announce_payouts
from reconciliation.services.post_charges import post_charges
from reconciliation.services.post_fees import post_fees
from reconciliation.services.process_statement import process_statement
from reconciliation.services.settle_statement import settle_statement
from reconciliation.tasks import look_at_open_items_again
from tests.ledger.books import tamper
from tests.reconciliation.bank_files import (
    HEADER,
    account,
    balance,
    bank_file,
    discrepancies,
    findings,
    payout,
)
from tests.reconciliation.differences import statement
from tests.reconciliation.operators import person
from tests.reconciliation.statements import DAY, bring, match, pay
from tests.reconciliation.wechat_bill import NOON, paid

__all__ = ["account"]
pytestmark = pytest.mark.django_db(transaction=True)
PAGES = "/console/reconciliation/"


@pytest.fixture(autouse=True)
def _mchid(settings: Any) -> None:
    settings.WECHAT = {**settings.WECHAT, "mchid": "1900000001"}


def test_a_fee_is_rounded_half_up_and_what_is_left_over_is_one_line() -> None:
    assert [rounded(fee) for fee in (499, 500, -499, -500, 1_500, 54_400)] == [0, 1, 0, -1, 2, 54]
    some = [pay(10_000 + number) for number in range(3)]
    # 1.6 fen, three times: 2 each by itself, 5 in all.
    file = match([paid(one.att, one.amount, fee=1_600) for one in some]).id
    Discrepancy.objects.all().delete()
    assert settle_statement(file=file).fees == 3
    assert (balance("channel_fees:wechat"), balance("receivable:wechat")) == (5, -5)
    again = settle_statement(file=file)
    assert balance("channel_fees:wechat") == 5
    assert StatementFile.objects.by_public_id(again.file).state == "SETTLED"


def test_only_what_is_ours_has_a_fee_and_a_wrong_one_is_posted_as_agreed() -> None:
    ours, dear = pay(10_000), pay(20_000)
    stranger = "att_" + "0" * 26
    rows = [paid(ours.att), paid(dear.att, 20_000, fee=900_000), paid(stranger, 5_000)]
    settle_statement(file=match(rows).id)
    posted = transactions_by_key([f"{one}:fee" for one in (ours.att, dear.att, stranger)])
    fees = {key: view.entries[0].amount.minor for key, view in posted.items()}
    assert fees == {f"{ours.att}:fee": 54, f"{dear.att}:fee": 108}
    assert {view.reference[:4] for view in posted.values()} == {"ord_"}
    assert ("fee", "OPEN") in {(kind, state) for kind, state, _ in discrepancies()}


def test_what_our_books_have_by_now_is_found_and_charged_for_by_the_clock() -> None:
    """Nobody brings another file: the hourly job looks."""
    unpaid = pay(10_000, state="FAILED")
    settle_statement(file=match([paid(unpaid.att)]).id)
    assert [row[:2] for row in discrepancies()] == [("state", "OPEN")] and balance("channel_fees:wechat") == 0
    tamper(
        "UPDATE payments_attempt SET brought = amount, brought_at = created_at, booked_at = now(), state = 'SUCCEEDED'"
    )
    for _ in range(2):
        look_at_open_items_again()
        assert [row[:2] for row in discrepancies()] == [("state", "RESOLVED")]
        assert balance("channel_fees:wechat") == 54
    assert not findings()


def test_a_corrected_file_posts_the_differences_only() -> None:
    same, other, gone = pay(10_000), pay(20_000), pay(30_000)
    first = [paid(same.att), paid(other.att, 20_000, fee=200_000), paid(gone.att, 30_000)]
    Discrepancy.objects.all().delete()
    settle_statement(file=match(first).id)
    before = balance("channel_fees:wechat")
    second = match([paid(same.att), paid(other.att, 20_000)])
    settle_statement(file=second.id)
    assert before == 54 + 108 + 162
    assert balance("channel_fees:wechat") == 54 + 108
    keys = [f"{gone.att}:fee", f"{gone.att}:fee:undone", f"{same.att}:fee:undone"]
    assert set(transactions_by_key(keys)) == {keys[0], keys[1]}
    settle_statement(file=second.id)
    assert balance("channel_fees:wechat") == 54 + 108


def test_captures_of_one_moment_in_two_currencies_have_a_fee_in_each() -> None:
    held = pay(900, parts=(300, 600))
    wrong = [paid(held.att, 300, currency="USD", fee=2_000), paid(held.att, 600, fee=3_000, theirs="b")]
    file = match(wrong).id
    Discrepancy.objects.filter(kind="fee").delete()
    for _ in range(2):
        settle_statement(file=file)
        assert (balance("channel_fees:wechat", "USD"), balance("channel_fees:wechat")) == (2, 3)
    right = match([paid(held.att, 300, fee=2_000), paid(held.att, 600, fee=3_000, theirs="b")]).id
    for _ in range(2):
        settle_statement(file=right)
        assert (balance("channel_fees:wechat", "USD"), balance("channel_fees:wechat")) == (0, 5)
    settle_statement(file=match([*wrong, paid(pay(1).att, 1)]).id)
    assert (balance("channel_fees:wechat", "USD"), balance("channel_fees:wechat")) == (2, 3)


@pytest.mark.parametrize("size", [1, 2])
def test_captures_of_one_moment_have_a_fee_each_wherever_a_batch_ends(monkeypatch: Any, size: int) -> None:
    monkeypatch.setattr(settling, "_BATCH", size)
    held = pay(900, parts=(300, 300, 300))
    rows = [paid(held.att, part, theirs=f"t{number}", fee=2_000) for number, part in enumerate(held.parts)]
    for more in ([], [paid(pay(1).att, 1)]):
        file = match([*more, *rows]).id  # the second in the place of the first, each row with another number
        for _ in range(2):
            settle_statement(file=file)
            assert balance("channel_fees:wechat") == 6


@pytest.mark.parametrize("found_first", [1, 2])
def test_a_capture_that_is_found_later_has_its_fee_beside_the_one_of_the_same_moment(
    found_first: int,
) -> None:
    att = pay(900, parts=(300, 600)).att
    told = [
        Line(number, "payment", att, "", "t", "", 300 * number, 1_000 * number, "CNY", NOON, "success", "")
        for number in (1, 2)
    ]
    file = statement(day=DAY)

    def post(lines: list[Line], names: FeeNames) -> int:
        with transaction.atomic():
            return post_fees(file=file, lines=lines, names=names)

    first, second = sorted(told, key=lambda line: line.number != found_first)
    assert post([first], FeeNames(1)) == 1
    assert post([second], FeeNames(1, alone=True)) == 1
    assert balance("channel_fees:wechat") == 3
    post(told, FeeNames(1))
    assert balance("channel_fees:wechat") == 3


def test_a_fee_in_another_currency_is_put_right_though_its_figure_is_the_same() -> None:
    tea = pay(10_000)
    settle_statement(file=match([paid(tea.att, currency="USD")]).id)
    assert (balance("channel_fees:wechat", "USD"), balance("channel_fees:wechat")) == (54, 0)
    settle_statement(file=match([paid(tea.att)]).id)
    assert (balance("channel_fees:wechat", "USD"), balance("channel_fees:wechat")) == (0, 54)


def test_of_a_capture_that_a_corrected_file_tells_at_another_time_one_fee_stays() -> None:
    held = pay(900, parts=(300, 600))
    first = paid(held.att, 300, fee=2_000)
    second = paid(held.att, 600, fee=3_000, theirs="b", at=NOON + timedelta(minutes=1))
    Discrepancy.objects.all().delete()
    settle_statement(file=match([first, second]).id)
    assert balance("channel_fees:wechat") == 5
    settle_statement(file=match([first, replace(second, at=NOON + timedelta(minutes=2))]).id)
    assert balance("channel_fees:wechat") == 5
    settle_statement(file=match([second]).id)
    assert balance("channel_fees:wechat") == 3


def charge(number: int, amount: int, at: datetime = NOON) -> Line:
    """A fee of no movement, as a row of its own."""
    return Line(number, "fee", "", "", f"ch_{number}", "", -amount, 0, "CNY", at, "success", "Radar")


def stands(*files: StatementFile) -> list[str]:
    """The keys of what is posted of these files and not reversed."""
    views = [view for file in files for view in ledger.transactions_of(file.public_id)]
    gone = {view.reverses for view in views}
    return [view.business_key for view in views if not view.reverses and view.id not in gone]


def test_charges_that_a_corrected_file_tells_the_same_stay_as_they_are_posted() -> None:
    one = statement(day=DAY)
    with transaction.atomic():
        post_charges(file=one, lines=[charge(1, 100), charge(2, 200), charge(3, 300)], rounding={"CNY": 2})
    assert balance("channel_fees:wechat") == 602
    StatementFile.objects.filter(pk=one.pk).update(state="SUPERSEDED")
    two = statement(day=DAY, supersedes=one)
    for _ in range(2):
        with transaction.atomic():
            post_charges(
                file=two, lines=[charge(7, 200), charge(8, 350), charge(9, 100)], rounding={"CNY": 2}
            )
        assert balance("channel_fees:wechat") == 652
        old = [f"{one.public_id}:fee:{number}" for number in (1, 2)]
        assert stands(one, two) == [*old, f"{one.public_id}:fee_rounding", f"{two.public_id}:fee:8"]
    StatementFile.objects.filter(pk=two.pk).update(state="SUPERSEDED")
    three = statement(day=DAY, supersedes=two)
    with transaction.atomic():
        post_charges(file=three, lines=[charge(1, 350)], rounding={})
    assert balance("channel_fees:wechat") == 350
    assert stands(one, two, three) == [f"{two.public_id}:fee:8"]


def test_payouts_that_a_corrected_file_tells_the_same_stay_as_they_are_posted() -> None:
    terms = payout_terms("wechat")
    assert terms is not None

    def told(group: str, net: int) -> Line:
        return Line(1, "payout", "", "", group, group, -net, 0, "CNY", NOON, "success", "")

    def announced(file: StatementFile, *lines: Line, terms: PayoutTerms = terms) -> None:
        with transaction.atomic():
            announce_payouts(file=file, terms=terms, lines=lines)

    one = statement(day=DAY)
    announced(one, told("PAYOUT-SAME", 100), told("PAYOUT-OTHER", 200), told("PAYOUT-GONE", 400))
    StatementFile.objects.filter(pk=one.pk).update(state="SUPERSEDED")
    two = statement(day=DAY, supersedes=one)
    announced(two, told("PAYOUT-SAME", 100), told("PAYOUT-OTHER", 250))
    assert balance("in_transit:wechat") == 350
    keys = {row.grp: row.posting for row in Settlement.objects.all()}
    assert keys == {
        "PAYOUT-SAME": f"{one.public_id}:settled:PAYOUT-SAME",
        "PAYOUT-OTHER": f"{two.public_id}:settled:PAYOUT-OTHER",
        "PAYOUT-GONE": "",
    }
    assert not transactions_by_key([f"{one.public_id}:settled:PAYOUT-SAME:undone"])
    assert findings() == []


def test_a_day_that_comes_after_later_ones_changes_what_those_paid() -> None:
    """A channel that lists no payouts pays what its days came to; what a day owes, the next one pays less."""
    terms = payout_terms("ecny")
    assert terms is not None
    came_to = [10_000, -4_000, 9_000, 5_000]

    def bring_day(number: int) -> None:
        file = statement("ecny", day=DAY + timedelta(days=number))
        total = {"kind": "payment", "currency": "CNY", "count": 1, "amount": came_to[number], "fee": 0}
        StatementTotal.objects.create(file=file, part="ours", **total)
        with transaction.atomic():
            announce_payouts(file=file, terms=terms, lines=[])
            file.settle(at=NOON)
            file.store()

    def paid_out() -> list[int]:
        rows = Settlement.objects.exclude(state="WITHDRAWN").order_by("paid_on")
        return list(rows.values_list("net_amount", flat=True))

    for number in (0, 2, 3):
        bring_day(number)
    assert paid_out() == [10_000, 9_000, 5_000]
    bring_day(1)
    assert paid_out() == [10_000, 5_000, 5_000]
    assert (balance("in_transit:ecny"), balance("receivable:ecny")) == (20_000, -20_000)
    assert findings() == []


def test_a_worker_that_dies_is_followed_by_one_that_does_what_is_left(monkeypatch: Any) -> None:
    some = [pay(10_000) for _ in range(5)]
    file = bring([paid(one.att) for one in some]).id
    monkeypatch.setattr(settling, "_BATCH", 2)
    calls = iter(range(99))

    def dies(**asked: Any) -> int:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return post_fees(**asked)

    monkeypatch.setattr(settling, "post_fees", dies)
    with pytest.raises(KeyboardInterrupt):
        process_statement(file=file)
    assert balance("channel_fees:wechat") == 2 * 54
    assert StatementFile.objects.by_public_id(file).state == "MATCHED"
    process_statement(file=file)
    assert balance("channel_fees:wechat") == 5 * 54
    assert StatementFile.objects.by_public_id(file).state == "SETTLED"


def test_an_account_is_tried_saved_and_used_in_the_console(monkeypatch: Any) -> None:
    seen: list[str] = []
    monkeypatch.setattr("reconciliation.pages.statements.process_soon", seen.append)
    client = person("finance")
    told = {
        "name": "giro",
        "account": "DE002",
        "currency": "CNY",
        "format": "csv",
        "day": str(DAY),
        "column_date": "booked",
        "column_amount": "amount",
        "text": "what",
        "column_their_reference": "id",
    }
    text = f"{HEADER}{DAY},=1+1,12.50,b1\n".encode()
    shown = client.post(
        f"{PAGES}bank-accounts/", {**told, "do": "preview", "file": io.BytesIO(text)}, follow=True
    )
    assert shown.text.count('data-testid="preview"') == 1
    assert not BankMapping.objects.exists()
    wrong = client.post(f"{PAGES}bank-accounts/", {**told, "column_date": "", "do": "save"})
    assert "Name the column of the date" in wrong.text
    assert client.post(f"{PAGES}bank-accounts/", {**told, "do": "save"}).status_code == 302
    file = io.BytesIO(text)
    file.name = f"giro_{DAY:%Y%m%d}.csv"
    answer = client.post(f"{PAGES}statements/", {"do": "upload", "file": file, "kind": "bank:giro|csv"})
    [row] = StatementFile.objects.all()
    assert answer["Location"].endswith(f"/statements/{row.public_id}/")
    assert seen == [row.public_id]
    process_statement(file=row.public_id)
    page = client.get(answer["Location"]).text
    assert "settled" in page and "CN¥12.50" in page and "1 line<" in page
    nothing = client.post(f"{PAGES}statements/", {"do": "upload", "file": io.BytesIO(b"?")}, follow=True)
    assert "no statement that is known" in nothing.text
    assert person("support").post(f"{PAGES}statements/", {}).status_code == 403


def test_edited_rows_are_found(account: BankMapping) -> None:
    one = payout(10_000)
    bank_file(f"{one.grp},100.00,b1")
    Settlement.objects.update(posting="stm_nowhere")
    BankLine.objects.update(amount=9_999)
    assert {line.split()[0] for line in findings()} == {
        "reconciliation.payouts_posted",
        "reconciliation.bank_lines_posted",
        "reconciliation.bank_lines_shared",
    }
