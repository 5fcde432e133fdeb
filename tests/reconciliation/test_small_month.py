"""The month in small (`make month`): two days, three mistakes in two statements, found as what they are and put right
in the console; and then our books are what the world is."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from bench.month.books import compared, profit_by_ledger, profit_by_truth
from bench.month.judge import judge
from bench.month.repairs import OPEN
from bench.month.world import Month
from ledger.models import Transaction
from ledger.selectors import closed_through
from ledger.tasks import close_due_days
from payments.services.request_refund import request_refund
from tests.channels.world import Sandbox, running_sandbox
from tests.payments.conftest import Till, credentials, till
from tests.reconciliation.operators import person

__all__ = ["credentials", "till"]
BEIJING = timezone(timedelta(hours=8))
DAY_SECONDS = 86_400


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("month")) as world:
        noon = datetime.now(BEIJING).replace(hour=12, minute=0, second=0, microsecond=0)
        world.ask("POST", "/control/clock", {"set": (noon - timedelta(days=9)).isoformat()})
        yield world


class Days(Month):
    """Of this process's own program and sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        told = datetime.fromisoformat(sandbox.ask("GET", "/control/clock")["now"])
        self.first: date = told.astimezone(BEIJING).date()

    def control(self, method: str, path: str, body: Any = None) -> Any:
        return self._sandbox.ask(method, f"/control/{path}", body)

    def rows(self, query: str, *values: Any) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall())

    def plant(self, channel: str, kind: str, number: int, file: str = "") -> None:
        day = (self.first + timedelta(days=number)).isoformat()
        self.control(
            "POST", "statements/faults", {"channel": channel, "day": day, "kind": kind, "file": file}
        )


def reconcile(days: Days) -> Counter[str]:
    done: Counter[str] = Counter()
    for channel in ("alipay", "wechat", "bank"):
        written = StringIO()
        until = days.first + timedelta(days=4)
        call_command("reconcile", channel=channel, since=days.first, until=until, stdout=written)
        done.update(json.loads(written.getvalue().splitlines()[-1]))
    return done


def live(till: Till) -> None:
    """Two days with two customers each, who pay by WeChat Pay and Alipay; one gets a part back. Both days are closed
    after the first payments: for the books, all else comes late."""
    for fen in (30_000, 20_000):
        payments = [
            till.pay("wechat_pay", fen=fen),
            till.pay("alipay", fen=fen),
            till.pay("wechat_pay", fen=fen),
        ]
        for payment in payments:
            till.customer(payment, "pay")
            till.wait_for(payment, "SUCCEEDED")
            close_due_days()
        request_refund(payment=payments[0].id, amount=None, reason="Broken", actor="user:1", key=f"{fen}")
        till.sandbox.advance(DAY_SECONDS)
    for _ in range(4):
        till.sandbox.advance(DAY_SECONDS)


def put_right(finance: Client, discrepancy: str, repair: str) -> None:
    page = f"/console/discrepancies/{discrepancy}/"
    finance.post(page, {"do": "take_up"})
    finance.post(page, {"do": repair, "reason": "Compared with their own account"})


def test_mistakes_are_found_and_put_right_and_the_books_are_what_the_world_is(till: Till) -> None:
    days = Days(till.sandbox)
    live(till)
    closed = days.first + timedelta(days=1)
    assert closed_through() == closed
    days.plant("wechat", "missing", 0)
    days.plant("alipay", "truncated", 1, "trade")
    days.plant("bank", "payout_amount", 2)
    faults = days.control("GET", "statements/faults")["faults"]
    assert reconcile(days)["not_ready"] == 1
    again = reconcile(days)
    assert (again["fetched"], again["not_ready"], again["failed"]) == (1, 0, 0)

    verdict = judge(days, faults)

    found = {(row[0], row[1]): row[3] for row in verdict.table}
    assert found == {
        ("wechat", "missing"): "missing_there",
        ("alipay", "truncated"): "refused",
        ("bank", "payout_amount"): "deposit_amount",
    }
    assert (verdict.missed, verdict.beyond) == ([], [])
    assert len(compared(days)) > 0
    finance = person("finance")
    for name, kind, _ in days.rows(OPEN):
        put_right(finance, name, "correct_deposit" if kind == "deposit_amount" else "correct")
    assert days.rows(OPEN) == []
    assert compared(days) == []
    assert profit_by_ledger(days) == profit_by_truth(days)
    in_closed = Transaction.objects.filter(posted_on__lte=closed).count()
    late = Transaction.objects.filter(posted_on=closed + timedelta(days=1), happened_at__date__lte=closed)
    assert (in_closed, closed_through()) == (1, closed)
    words = {key.split(":")[1] for key in late.values_list("business_key", flat=True)}
    assert words == {"capture", "refund", "fee", "settled", "deposit"}
