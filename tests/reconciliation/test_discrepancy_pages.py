"""The console's pages of discrepancies: the queue, one of them, what waits for a second person."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ledger.selectors import trial_balance
from reconciliation.models import Discrepancy, Repair
from reconciliation.states import DiscrepancyKind as K
from reconciliation.states import Side
from tests.reconciliation.differences import difference, item, missing_here, missing_there, statement
from tests.reconciliation.operators import person, press, seen

pytestmark = pytest.mark.django_db(transaction=True)

QUEUE = "/console/discrepancies/"


@pytest.fixture(autouse=True)
def limits(settings: Any) -> None:
    settings.RECONCILIATION_APPROVAL_ABOVE = {"CNY": 10_000}


@pytest.fixture
def fay() -> Client:
    return person("finance", "fay")


@pytest.fixture
def max_() -> Client:
    return person("risk manager", "max")


def on_queue(client: Client, **query: str) -> list[str]:
    return re.findall(r'data-subject="([^"]+)"', client.get(QUEUE, query).text)


def post(client: Client, row: Discrepancy, do: str, **data: Any) -> str:
    answer = client.post(
        f"{QUEUE}{row.public_id}/", {"do": do, "reason": "As the bank says", **data}, follow=True
    )
    assert answer.status_code == 200, answer.status_code
    return str(answer.text)


def balances() -> dict[str, int]:
    return {one.account: one.balance.minor for one in trial_balance().accounts if one.balance.minor}


def test_the_queue_shows_work_largest_first_and_filters(fay: Client) -> None:
    small = difference(K.FEE, ours=100, told=100, fee=1_000, told_fee=31_000, at_risk=30)
    large = missing_here(90_000)
    waits = missing_there(4_000)
    done = missing_here(300)
    for row in (waits, done):
        post(fay, row, "take_up")
    post(fay, waits, "wait")
    post(fay, done, "accept")
    assert on_queue(fay) == [large.public_id, small.public_id]
    assert on_queue(fay, sort="age") == [small.public_id, large.public_id]
    assert on_queue(fay, kind="fee") == [small.public_id]
    assert on_queue(fay, least="800") == [large.public_id]
    assert on_queue(fay, state="later") == [waits.public_id]
    assert on_queue(fay, state="RESOLVED") == [done.public_id]
    assert on_queue(fay, channel="alipay") == on_queue(fay, age="1") == []
    page = fay.get(QUEUE).text
    assert "CN¥900.30" in page
    assert "Post the fee that was kept" in page


def test_the_queue_takes_as_many_queries_for_many_as_for_few(fay: Client) -> None:
    missing_here()
    with CaptureQueriesContext(connection) as few:
        fay.get(QUEUE)
    for _ in range(8):
        missing_here()
    with CaptureQueriesContext(connection) as many:
        fay.get(QUEUE)
    assert len(many) <= len(few) + 1


def test_the_table_of_all_tells_sums_as_people_write_them(fay: Client) -> None:
    row = difference(K.AMOUNT, ours=5_000, told=4_900)
    table = fay.get("/console/reconciliation/discrepancy/").text
    page = fay.get(f"/console/reconciliation/discrepancy/{row.pk}/change/").text
    for shown in (table, page):
        assert "CN¥50.00" in shown and "CN¥49.00" in shown and "4900" not in shown


def test_one_is_shown_with_both_sides_and_its_line(fay: Client) -> None:
    row = difference(
        K.AMOUNT,
        ours=10_000,
        told=9_900,
        fee=60_000,
        told_fee=61_234,
        ours_facts={"reference": "att_x", "state": "SUCCEEDED", "happened_at": "2026-11-19T12:00:00+08:00"},
        theirs_facts={"reference": "att_x", "state": "success"},
    )
    page = fay.get(f"{QUEUE}{row.public_id}/").text
    for told in ("CN¥100.00", "CN¥99.00", "0.61234 CNY", "0.60 CNY", "`2026-11-19 12:00:00,`att_x,`100.00"):
        assert told in page, told
    assert "2026-11-19 04:00:00 UTC" in page
    assert page.count('data-testid="differs"') == 1
    assert fay.get(f"{QUEUE}dis_x/").status_code == 404


def test_from_taking_up_through_a_second_person_to_undoing(fay: Client, max_: Client) -> None:
    row = missing_here(40_000)
    assert "Take it up first" in fay.get(f"{QUEUE}{row.public_id}/").text
    assert "take up the investigation first" in post(fay, row, "suspense")
    assert "It is yours now" in post(fay, row, "take_up")
    assert "already" in post(person("finance", "finn"), row, "take_up")
    assert "second person has to approve" in post(fay, row, "suspense")
    repair = Repair.objects.get().public_id
    assert balances() == {}
    assert "Nothing of these is booked" in max_.get(f"{QUEUE}approvals/").text
    assert "You proposed it yourself" in fay.get(f"{QUEUE}approvals/").text
    assert "1 waits for your approval" in max_.get(QUEUE).text
    assert "0 wait for your approval" in fay.get(QUEUE).text
    assert "You proposed this yourself" in post(fay, row, "approve", repair=repair)
    assert balances() == {}
    assert "Done." in post(max_, row, "approve", repair=repair)
    assert balances() == {"receivable:wechat": 40_000, "suspense": -40_000}
    page = post(fay, row, "undo", repair=repair)
    assert "Taken back" in page
    assert balances() == {}
    for told in ("Repair waiting →", "undone", "Discrepancy"):
        assert told in page


def test_two_sides_are_put_together_by_hand(fay: Client) -> None:
    file = statement()
    row = missing_here(5_000, file=file)
    first, second = item(file, 3_000, Side.OURS), item(file, 1_990, Side.OURS)
    post(fay, row, "take_up")
    assert first.public_id in fay.get(f"{QUEUE}{row.public_id}/").text
    names = [first.public_id, second.public_id]
    assert "Say where" in post(fay, row, "force_match", items=names)
    assert balances() == {}
    assert "Done." in post(fay, row, "force_match", items=names, rest="fee")
    assert balances() == {"receivable:wechat": 10, "channel_fees:wechat": -10}


def test_a_wrong_statement_is_corrected_with_its_entries_shown_before(fay: Client, max_: Client) -> None:
    facts = {"account": "in_transit:wechat", "bank": "bank:main"}
    row = difference(K.DEPOSIT_AMOUNT, ours=40_000, told=20_000, line_kind="payout", ours_facts=facts)
    post(fay, row, "take_up")
    page = fay.get(f"{QUEUE}{row.public_id}/").text.replace("<wbr>", "")
    offer = page[page.index('data-testid="offer-correct_payout"') :]
    for told in ("take the rest back", "in_transit:wechat", "receivable:wechat", "CN¥200.00"):
        assert told in offer, told
    assert "second person has to approve" in post(fay, row, "correct_payout")
    assert balances() == {}
    page = post(max_, row, "approve", repair=Repair.objects.get().public_id)
    assert "Payout corrected" in page
    assert balances() == {"in_transit:wechat": -20_000, "receivable:wechat": 20_000}
    assert "Taken back" in post(fay, row, "undo", repair=Repair.objects.get().public_id)
    assert balances() == {}


def test_who_may_only_look_moves_nothing(fay: Client) -> None:
    row = missing_here(4_000)
    post(fay, row, "take_up")
    admin = person("administrator", "ada")
    page = admin.get(f"{QUEUE}{row.public_id}/").text
    assert "Your role does not do this" in page
    for do in ("suspense", "take_up", "undo", "force_match", "refund"):
        assert admin.post(f"{QUEUE}{row.public_id}/", {"do": do, "reason": "x"}).status_code == 403
    support = person("support", "sam")
    assert support.get(QUEUE).status_code == 403
    assert support.get(f"{QUEUE}{row.public_id}/").status_code == 403
    assert (Repair.objects.count(), balances()) == (0, {})
    assert fay.post(f"{QUEUE}{row.public_id}/", {"do": "nonsense", "reason": "x"}).status_code == 404


def test_unmatched_lines_are_on_the_list_of_stuck_money(fay: Client) -> None:
    row = missing_here(4_000)
    assert seen(fay) == [row.public_id]
    page = press(fay, "unmatched", row.public_id, "take_up")
    assert "still stuck" in page
    assert f"{QUEUE}{row.public_id}/" in page
    post(fay, row, "accept")
    assert seen(fay) == []


def test_a_rule_is_written_tried_and_switched_on_by_another(fay: Client, max_: Client) -> None:
    row = difference(K.FEE, ours=100, told=100, fee=1_000, told_fee=3_000, at_risk=2)
    said = {"name": "fen", "kind": "fee", "channel": "", "currency": "CNY", "max_amount": "0.05"}
    said |= {"fee_tolerance": "5000", "min_age_days": "0", "action": "post_fee", "note": "Rounding"}
    assert fay.post(f"{QUEUE}rules/", said).status_code == 403
    assert "No rule decides about more" in max_.post(f"{QUEUE}rules/", {**said, "max_amount": "500"}).text
    page = max_.post(f"{QUEUE}rules/", said, follow=True).text
    assert re.search(r'data-testid="dry-run">\s*<strong[^>]*>1<', page)
    address = f"{QUEUE}rules/fen@1/"
    switch = {"do": "activate", "reason": "Tried"}
    assert "second person" in max_.post(address, switch, follow=True).text
    assert "say why" in fay.post(address, {"do": "activate"}, follow=True).text.lower()
    assert "Switched on by" in fay.post(address, switch, follow=True).text
    assert "active" in fay.get(f"{QUEUE}rules/").text
    assert "retired" in fay.post(address, {"do": "retire", "reason": "Enough"}, follow=True).text
    assert fay.get(f"{QUEUE}rules/fen@9/").status_code == 404
    assert row.public_id in on_queue(fay)
