"""A day of real payments at three channels: fetched, matched, settled, and found again at the bank."""

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from ledger import selectors as ledger
from payments.services.request_refund import request_refund
from reconciliation.bank_invariants import check
from reconciliation.models import BankLine, Discrepancy, Settlement, StatementFile, StatementRun
from reconciliation.tasks import fetch_due_statements
from reconciliation.three_books import day_reports
from tests.channels.world import Sandbox, running_sandbox
from tests.payments.conftest import Till, credentials, till
from tests.payments.test_unionpay_and_ecny import pays_there
from tests.reconciliation.operators import person

__all__ = ["credentials", "till"]
BEIJING = timezone(timedelta(hours=8))
PAGES = "/console/reconciliation/"


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("settlement")) as world:
        noon = datetime.now(BEIJING).replace(hour=12, minute=0, second=0, microsecond=0)
        world.ask("POST", "/control/clock", {"set": (noon - timedelta(days=9)).isoformat()})
        yield world


def balances() -> dict[str, int]:
    """Every account that is not even."""
    accounts = ledger.trial_balance().accounts
    return {row.account.partition(":XX")[0]: row.balance.minor for row in accounts if row.balance.minor}


def today(world: Sandbox) -> date:
    now = datetime.fromisoformat(world.ask("GET", "/control/clock")["now"])
    return now.astimezone(BEIJING).date()


def reconcile(**options: Any) -> tuple[list[str], dict[str, int]]:
    """The lines that the terminal shows, and the summary at their end."""
    written = StringIO()
    call_command("reconcile", stdout=written, **options)
    *lines, summary = written.getvalue().splitlines()
    return lines, json.loads(summary)


def next_days(world: Sandbox, days: int) -> None:
    """Day by day: what the providers do at midnight happens at midnight."""
    for _ in range(days):
        world.advance(86_400)


def findings() -> list[str]:
    return [f"{one.check} {one.subject} {one.detail}" for _, _, found in check() for one in found]


def test_a_day_is_fetched_matched_settled_and_found_at_the_bank(till: Till) -> None:
    day = today(till.sandbox)
    till.wait_for(till.pay(fen=10_000), "SUCCEEDED")
    alipay, wechat = till.pay("alipay", fen=20_000), till.pay("wechat_pay", fen=30_000)
    for payment in (alipay, wechat):
        till.customer(payment, "pay")
        till.wait_for(payment, "SUCCEEDED")
    request_refund(payment=alipay.id, amount=None, reason="Broken", actor="user:1", key="all")

    # Its day is not over there: it is asked for again later, and nothing is booked.
    lines, summary = reconcile(channel="stripe", day=day)
    assert (summary["fetched"], summary["not_ready"]) == (0, 3)
    assert any("not complete yet" in line for line in lines)
    waiting = StatementRun.objects.filter(channel="stripe")
    assert {(row.state, row.attempts) for row in waiting} == {("DUE", 1)}
    assert not StatementFile.objects.exists()

    next_days(till.sandbox, 4)
    for channel in ("stripe", "alipay", "wechat", "bank"):
        _, summary = reconcile(channel=channel, since=day, until=day + timedelta(days=3))
        assert (summary["not_ready"], summary["failed"]) == (0, 0)
    assert not Discrepancy.objects.exists()
    # The fee of what Alipay sent back stays with Alipay, who is owed it from the next payments.
    assert balances() == {
        "bank": 9_680 + 29_838,
        "channel_fees:alipay": 120,
        "channel_fees:stripe": 320,
        "channel_fees:wechat": 162,
        "customer_prepayments": -40_000,
        "receivable:alipay": -120,
    }
    assert {(row.channel, row.state, row.fee_amount) for row in Settlement.objects.all()} == {
        ("stripe", "DEPOSITED", 320),
        ("wechat", "DEPOSITED", 0),
    }
    assert set(BankLine.objects.values_list("state", "how")) == {("EXPLAINED", "reference")}
    assert findings() == []
    _the_report_adds_up(day)
    _running_again_changes_nothing(day)


def _the_report_adds_up(day: date) -> None:
    [report] = day_reports("alipay", day)
    rows = {row.kind: (row.payments, row.statement, row.ledger) for row in report.rows}
    assert rows == {
        "payment": (20_000, 20_000, 20_000),
        "refund": (-20_000, -20_000, -20_000),
        "fee": (None, -120, -120),
    }
    assert report.unexplained == ()
    assert [money.minor for money in report.owed] == [0, -120]
    # These payments have no orders, and the report says so rather than leaving it unexplained.
    assert {(one.between, one.kind) for one in report.differences} == {
        ("orders_payments", "paid_not_ordered:payment"),
        ("orders_payments", "paid_not_ordered:refund"),
    }
    [stripe] = day_reports("stripe", day)
    assert (stripe.match_permille, [money.minor for money in stripe.owed]) == (1000, [0, 9_680])
    client = person("finance")
    page = client.get(f"{PAGES}books/", {"channel": "stripe", "day": day.isoformat()}).text
    assert "nothing unexplained" in page
    table = client.get(f"{PAGES}books/csv/", {"channel": "stripe", "day": day.isoformat()})
    told = b"".join(table.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    assert f"stripe,{day},CNY,fee,,,,-320,-320," in told
    assert client.get(f"{PAGES}bank-lines/").text.count('data-testid="line"') == 2
    assert "balance_change" in client.get(f"{PAGES}statements/").text
    assert person("support").get(f"{PAGES}books/").status_code == 403


def _running_again_changes_nothing(day: date) -> None:
    before, posted = balances(), len(ledger.trial_balance().accounts)
    StatementRun.objects.exclude(channel="unionpay").update(state="DUE", next_try_at=datetime.now(BEIJING))
    for channel in ("stripe", "bank"):
        reconcile(channel=channel, since=day, until=day + timedelta(days=3))
    assert (balances(), len(ledger.trial_balance().accounts)) == (before, posted)
    StatementRun.objects.all().delete()
    StatementRun.objects.expect("stripe", "payouts", {day: datetime.now(BEIJING)})
    assert fetch_due_statements() >= 1


def test_what_a_day_came_to_is_paid_out_without_being_listed_and_is_found_at_the_bank(till: Till) -> None:
    day = today(till.sandbox)
    by_page, by_code = till.pay("unionpay", fen=20_000), till.pay("e_cny", fen=30_000)
    pays_there(by_page)
    till.customer(by_code, "pay")
    for payment in (by_page, by_code):
        till.wait_for(payment, "SUCCEEDED")
    next_days(till.sandbox, 4)
    for channel, days in (("unionpay", 1), ("ecny", 1), ("bank", 3)):
        _, summary = reconcile(channel=channel, since=day, until=day + timedelta(days=days))
        assert (summary["not_ready"], summary["failed"]) == (0, 0)
    assert not Discrepancy.objects.exists()
    paid = Settlement.objects.order_by("channel").values_list("channel", "state", "net_amount", "posting")
    assert [row[:3] for row in paid] == [("ecny", "DEPOSITED", 30_000), ("unionpay", "DEPOSITED", 19_880)]
    assert all(":settled:" in row[3] for row in paid)
    assert set(BankLine.objects.values_list("how", "amount")) == {
        ("reference", 30_000),
        ("reference", 19_880),
    }
    assert balances() == {"bank": 49_880, "channel_fees:unionpay": 120, "customer_prepayments": -50_000}
    for channel in ("unionpay", "ecny"):
        reports = [one for number in (0, 1) for one in day_reports(channel, day + timedelta(days=number))]
        assert [one.unexplained for one in reports if one.rows] == [()]
    assert findings() == []
