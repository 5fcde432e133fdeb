"""Every number of the reports is what a slow recomputation finds, and opens to lines that make it."""

from collections.abc import Callable
from datetime import date, timedelta
from urllib.parse import parse_qsl

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.errors import Refusal
from ledger.facts import Entry
from ledger.models.days import today
from ledger.money import Money
from ledger.reports.cells import By, Cell
from ledger.reports.lines import JournalLine, every_line_of, lines_of, sum_of
from ledger.reports.profit import Period, ProfitRow, cell_of, every_profit_by, profit_by, profit_of
from ledger.reports.trial import currencies, trial_balance_on
from ledger.reports.unsettled import AGES, unsettled
from ledger.services.post import post
from tests.ledger import history
from tests.ledger.books import cny
from tests.ledger.history import STEPS, Step, days_ago

pytestmark = pytest.mark.django_db

small_histories = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_BY: dict[By, Callable[[history.Written], str]] = {
    By.DAY: lambda line: line.on.isoformat(),
    By.ITEM: lambda line: line.item,
    By.ORDER: lambda line: line.reference,
}
TWO_CHANNELS = [
    Step("captured", "ord_1", "alipay", "", 1_000, 9),
    Step("captured", "ord_1", "stripe", "", 2_000, 9),
    Step("shipped", "ord_1", "stripe", "tea", 3_000, 5),
    Step("returned", "ord_1", "stripe", "tea", 500, 4),
    Step("fee", "ord_1", "stripe", "", 31, 4),
    Step("lost", "ord_1", "alipay", "", 10, 3),
    Step("odd", "", "alipay", "", 7, 2),
]


@pytest.fixture
def books(db: None) -> None:
    """An order whose money two channels took, in parts that do not divide evenly."""
    history.write(TWO_CHANNELS)


def month() -> Period:
    return Period(first=days_ago(30), last=today(), currency="CNY")


def holds(cell: Cell, minor: int) -> None:
    """The cell is that number: told, summed from all its lines, and summed page by page."""
    assert Cell.told(dict(parse_qsl(cell.query))) == cell
    found: list[JournalLine] = []
    after = ""
    while True:
        page = lines_of(cell, after=after, limit=3)
        found += page.lines
        after = page.next
        if not after:
            break
    assert found == list(every_line_of(cell))
    assert (sum_of(cell).minor, sum(line.share.minor for line in found)) == (minor, minor)


@small_histories
@given(steps=STEPS, ago=st.integers(min_value=0, max_value=60), length=st.integers(min_value=0, max_value=40))
def test_numbers_are_what_the_lines_say(steps: list[Step], ago: int, length: int) -> None:
    with transaction.atomic():
        history.write(steps)
        last = days_ago(ago)
        period = Period(first=last - timedelta(days=length), last=last, currency="CNY")
        _check_balances(last)
        _check_profit(period)
        _check_ages(last)
        transaction.set_rollback(True)


def _check_balances(on: date) -> None:
    trial = trial_balance_on(on)
    assert {row.account: row.balance.minor for row in trial.accounts if row.balance.minor} == {
        account: minor for account, minor in history.balances(on).items() if minor
    }
    assert all(not total.minor for total in trial.totals)
    for row in trial.accounts[:2]:
        holds(Cell(currency="CNY", account=row.account, last=on), row.balance.minor)


def _check_profit(period: Period) -> None:
    found = profit_of(period)
    first, last = period.first, period.last
    assert {line.account: line.amount.minor for line in found.lines} == history.profit(
        first, last, lambda line: line.account
    )
    whole = history.profit(first, last, history.whole)[""]
    assert found.profit.minor == found.income.minor + found.expense.minor == whole
    holds(period.cell(), whole)
    for by, told_apart in _BY.items():
        rows = {row.key: row for row in every_profit_by(period, by)}
        assert {key: row.profit.minor for key, row in rows.items()} == history.profit(first, last, told_apart)
        for key, row in list(rows.items())[:2]:
            holds(cell_of(period, by, key), row.profit.minor)
    channels = {row.key: row.profit.minor for row in every_profit_by(period, By.CHANNEL)}
    assert sum(channels.values()) == whole
    assert {key: minor for key, minor in channels.items() if minor} == history.profit_by_channel(first, last)


def _check_ages(on: date) -> None:
    rows = {row.account: row for row in unsettled(on)}
    for account, balance in history.balances(on).items():
        if account.startswith("receivable:") and balance:
            ages = {age: amount.minor for age, amount in rows.pop(account).ages.items()}
            assert ages == history.ages(account, on) and sum(ages.values()) == balance
            for age, minor in ages.items():
                holds(Cell(currency="CNY", account=account, last=on, by=By.AGE, key=age), minor)
    assert rows == {}


def test_a_sale_is_shared_by_the_channels_that_took_its_money(books: None) -> None:
    rows = {row.key: row for row in profit_by(month(), By.CHANNEL).rows}
    sales = {key: row.amounts["sales"].minor for key, row in rows.items() if "sales" in row.amounts}
    assert sales == {"alipay": 1_000, "stripe": 2_000}
    assert rows["alipay"].amounts["dispute_losses"] == cny(-10)
    assert rows["stripe"].amounts["channel_fees:"] == cny(-31)
    assert rows[""].profit == cny(-7)
    whole = profit_of(month()).profit
    assert sum(row.profit.minor for row in rows.values()) == whole.minor == 3_000 - 1_000 - 500 - 31 - 10 - 7
    for key, row in rows.items():
        for head, amount in row.amounts.items():
            holds(cell_of(month(), By.CHANNEL, key, head), amount.minor)
    [line] = every_line_of(cell_of(month(), By.CHANNEL, "alipay", "refunds"))
    assert (line.is_part, line.amount, line.share) == (True, cny(500), cny(-167))


def test_profit_by_article_keeps_what_is_no_articles_apart(books: None) -> None:
    rows = {row.key: row for row in profit_by(month(), By.ITEM).rows}
    assert rows["tea"].amounts == {
        "sales": cny(2_000),
        "discounts": cny(-1_000),
        "refunds": cny(-500),
    }
    assert rows[""].amounts["sales"] == cny(1_000)
    assert profit_of(month()).heads == (
        "sales",
        "discounts",
        "refunds",
        "channel_fees:",
        "dispute_losses",
        "write_offs",
    )


def test_rows_come_in_pages_and_leave_nothing_out(books: None) -> None:
    found: list[ProfitRow] = []
    after: str | None = None
    while True:
        page = profit_by(month(), By.DAY, after=after, limit=2)
        found += page.rows
        if not page.more:
            break
        after = found[-1].key
    assert found == list(every_profit_by(month(), By.DAY)) and len(found) == 4


def test_other_currencies_stay_out(books: None) -> None:
    with transaction.atomic():
        post(
            business_key="yen",
            reference="ord_1",
            description="",
            entries=[Entry("sales", Money(-5, "JPY")), Entry("receivable:stripe", Money(5, "JPY"))],
        )
    yen = Period(first=days_ago(30), last=today(), currency="JPY")
    assert currencies() == ["CNY", "JPY"]
    assert profit_of(yen).profit == Money(5, "JPY")
    assert [row.key for row in profit_by(yen, By.CHANNEL).rows] == ["stripe"]
    assert profit_of(month()).income == cny(3_000)


def test_a_channel_that_paid_too_much_is_aged_by_what_it_paid(db: None) -> None:
    history.write([Step("captured", "", "alipay", "", 100, 50), Step("settled", "", "alipay", "", 150, 40)])
    [row] = unsettled(today())
    assert row.channel == "alipay" and row.ages["over-30"] == row.balance == cny(-50)
    holds(Cell(currency="CNY", account="receivable:alipay", last=today(), by=By.AGE, key="over-30"), -50)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"currency": "CNY", "last": "yesterday"},
        {"currency": "XXQ", "last": "2026-01-01"},
        {"currency": "CNY", "last": "2026-01-01", "by": "phase of the moon"},
        {"currency": "CNY", "last": "2026-01-01", "account": "petty cash"},
        {"currency": "CNY", "last": "2026-01-01", "kind": "asset"},
        {"currency": "CNY", "last": "2026-01-01", "account": "petty cash:"},
        {"currency": "CNY", "last": "2026-01-01", "by": "age"},
        {"currency": "CNY", "last": "2026-01-01", "by": "age", "account": "receivable:"},
        {"currency": "CNY", "last": "2026-01-01", "key": "x" * 101},
        {"currency": "CNY", "last": "2026-01-01", "key": "\x00"},
        {"currency": "CNY", "last": "0001-01-01"},
    ],
)
def test_what_is_no_number_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(Refusal):
        Cell.told(query)


def test_reports_cost_the_same_however_much_was_posted(books: None) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            trial_balance_on(today())
            unsettled(today())
            profit_of(month())
            for by in (By.DAY, By.CHANNEL, By.ITEM, By.ORDER):
                profit_by(month(), by)
            lines_of(month().cell("sales"))
            sum_of(month().cell("sales"))
        return len(queries)

    few = statements()
    history.write([Step("captured", f"ord_{n}", "stripe", f"sku-{n}", 100, n) for n in range(30)], "more")
    history.write([Step("shipped", f"ord_{n}", "stripe", f"sku-{n}", 100, n) for n in range(30)], "sent")
    assert statements() == few
    assert len(AGES) == 5
