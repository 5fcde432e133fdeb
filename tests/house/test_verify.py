"""`manage.py verify`, and our books against the sandbox's."""

import json
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from pytest_django import Settings

from config.invariants import Movement, compare
from ledger.invariants import Finding


def whole() -> Iterator[tuple[str, int, list[Finding]]]:
    yield "the journal balances", 12, []


def broken() -> Iterator[tuple[str, int, list[Finding]]]:
    yield "paid orders have a payment", 3, [Finding("paid orders have a payment", "ord_1", "no payment")]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    try:
        call_command("verify", *arguments)
    except SystemExit as left:
        return int(str(left.code)), capsys.readouterr().out
    return 0, capsys.readouterr().out


def test_all_hold(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.INVARIANTS = [f"{__name__}.whole"]
    code, told = run(capsys, "--json")
    assert code == 0
    assert json.loads(told) == {"ok": True, "checked": {"the journal balances": 12}, "broken": []}
    assert run(capsys) == (0, "ok      the journal balances  (12 looked at)\nAll hold.\n")


def test_what_is_broken_is_named(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.INVARIANTS = [f"{__name__}.whole", f"{__name__}.broken"]
    code, told = run(capsys, "--json")
    assert code == 1
    assert json.loads(told)["broken"] == [
        {"check": "paid orders have a payment", "subject": "ord_1", "detail": "no payment"}
    ]
    code, told = run(capsys)
    assert code == 1
    assert "BROKEN  paid orders have a payment" in told
    assert told.endswith("1 broken\n")


def moved(
    reference: str = "att_1",
    channel: str = "stripe",
    currency: str = "CNY",
    captured: int = 100,
    refunded: int = 0,
    disputed: int = 0,
    dispute_fees: int = 0,
) -> Movement:
    return Movement(reference, channel, currency, captured, refunded, disputed, dispute_fees)


def test_books_that_agree_have_no_findings() -> None:
    both = [moved(), moved("att_2", "alipay", captured=200, refunded=50, disputed=20)]
    assert list(compare(both, iter(both))) == []


@pytest.mark.parametrize(
    ("theirs", "subject"),
    [
        ([], "att_1"),
        ([moved(captured=101)], "att_1"),
        ([moved(currency="USD")], "att_1"),
        ([moved(channel="alipay")], "att_1"),
        ([moved(refunded=100)], "att_1"),
        ([moved(disputed=1)], "att_1"),
        ([moved(dispute_fees=15)], "att_1"),
        ([moved(), moved("att_2")], "att_2"),
        ([moved("att_0"), moved()], "att_0"),
        ([moved(), moved()], "att_1"),
    ],
)
def test_every_difference_is_one_finding(theirs: list[Movement], subject: str) -> None:
    assert [finding.subject for finding in compare([moved()], theirs)] == [subject]
