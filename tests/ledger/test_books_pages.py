"""The console's books: each link opens to lines that make its number, files are safe, days are closed on purpose."""

import csv
import re
from datetime import timedelta
from html import unescape
from io import StringIO
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ledger.errors import DayClosed
from ledger.facts import Entry
from ledger.models import AuditEntry, DayClose
from ledger.models.days import today
from ledger.reports.trial import trial_balance_on
from ledger.services.post import post
from ledger.sheets import rows_as_csv
from tests.ledger import history
from tests.ledger.books import cny
from tests.ledger.history import Step, days_ago
from tests.ledger.test_reports import TWO_CHANNELS
from tests.reconciliation.operators import person

BOOKS = "/console/books/"
PAGES = ["trial/", "profit/", "unsettled/", "days/", "accounts/sales/CNY/"]
_LINK = re.compile(r'data-testid="figure" href="([^"]+)">([^<]+)<')

pytestmark = pytest.mark.django_db


@pytest.fixture
def books(db: None) -> None:
    history.write(TWO_CHANNELS)


@pytest.fixture
def finance(books: None) -> Client:
    return person("finance")


def table(answer: Any) -> list[dict[str, str]]:
    text = b"".join(answer.streaming_content).decode().removeprefix("\ufeff")
    return list(csv.DictReader(StringIO(text)))


def fen(text: str) -> int:
    return int(text.replace(",", "").replace(".", ""))


@pytest.mark.parametrize(
    "address",
    ["trial/", "unsettled/", "profit/?by=channel", "profit/?by=day", "profit/?by=item", "profit/?by=order"],
)
def test_every_number_opens_to_lines_that_make_it(finance: Client, address: str) -> None:
    place, _, by = address.partition("?by=")
    span = {"first": days_ago(30).isoformat(), "last": today().isoformat(), "by": by}
    figures = _LINK.findall(finance.get(BOOKS + place, span).text)
    assert len(figures) >= 3
    for href, told in figures[-8:]:
        opened = finance.get(unescape(href)).text
        assert f'data-testid="total">{told} CNY<' in opened
        counts = re.findall(r'data-testid="counts">([^<]+)<', opened)
        assert sum(map(fen, counts)) == fen(told) and counts
    rows = table(finance.get(unescape(href) + "&csv=plain"))
    assert sum(int(row["counts_minor"]) for row in rows) == fen(told) and len(rows) == len(counts)


def test_an_account_breaks_where_its_parts_join(finance: Client) -> None:
    page = finance.get(f"{BOOKS}trial/").text
    assert ">customer_<wbr>prepayments</a>" in page and ">receivable:<wbr>alipay</a>" in page


def test_a_line_leads_to_its_transaction(finance: Client) -> None:
    page = finance.get(f"{BOOKS}lines/?currency=CNY&last={today().isoformat()}&account=refunds")
    [href] = re.findall(r'href="(/console/ledger/transaction/[^"]+)"', page.text)
    opened = finance.get(href).text
    assert "ord_1" in opened and "customer_prepayments" in opened and "tea" in opened


def test_a_statement_runs_from_opening_to_closing(finance: Client) -> None:
    address = f"{BOOKS}accounts/receivable:stripe/CNY/"
    span = {"first": days_ago(8).isoformat(), "last": today().isoformat()}
    page = finance.get(address, span).text
    assert "Opening balance" in page and "20.00" in page and "19.69" in page
    rows = table(finance.get(address, span | {"csv": "excel"}))
    assert [row["balance_minor"] for row in rows] == ["2000", "1969"]
    assert (rows[0]["description"], rows[0]["amount"], rows[1]["amount"]) == ("Opening balance", "", "-0.31")
    assert finance.get(f"{BOOKS}accounts/petty cash/CNY/").status_code == 404
    assert finance.get(f"{BOOKS}accounts/sales/XXQ/").status_code == 404
    assert finance.get(f"{BOOKS}lines/").status_code == 404


@pytest.mark.parametrize("said", ["0001-01-01", "9999-12-31", "yesterday", "\x00", "x" * 200])
def test_what_an_address_says_breaks_no_page(finance: Client, said: str) -> None:
    asked = dict.fromkeys(("on", "first", "last", "through", "after", "by", "currency", "key"), said)
    for address in PAGES:
        assert finance.get(BOOKS + address, asked).status_code == 200
    assert finance.get(f"{BOOKS}lines/", asked).status_code == 404


def test_pages_go_on_where_they_ended(finance: Client) -> None:
    history.write(
        [Step("shipped", f"ord_{n:03}", "stripe", f"sku-{n:03}", 300, 0) for n in range(130)], "many"
    )
    for address, kept in (("profit/?by=item", "row"), ("lines/?account=sales", "line")):
        query = f"&first={days_ago(30).isoformat()}&last={today().isoformat()}&currency=CNY"
        href, seen, pages = f"{BOOKS}{address}{query}", 0, 0
        while href:
            page = finance.get(href).text
            seen, pages = seen + page.count(f'data-testid="{kept}"'), pages + 1
            more = re.search(r'data-testid="more" href="(\?[^"]+)"', page)
            href = BOOKS + address.split("?")[0] + unescape(more[1]) if more else ""
        assert (seen, pages) == {"row": (132, 3), "line": (262, 3)}[kept]


def test_each_report_is_a_file_and_each_file_is_on_record(finance: Client) -> None:
    for address, report in (("trial/", "trial-balance"), ("profit/", "profit"), ("unsettled/", "unsettled"),
                            ("accounts/sales/CNY/", "statement-sales")):  # fmt: skip
        answer = finance.get(BOOKS + address, {"csv": "plain"})
        assert f'filename="{report}-' in answer["Content-Disposition"] and answer["Content-Type"].startswith(
            "text/csv"
        )
        assert table(answer)
        row = AuditEntry.objects.filter(action="books.export").latest("id")
        assert (row.object_id, row.after, row.actor[:5]) == (report, {"csv": "plain"}, "user:")
    trial = table(finance.get(f"{BOOKS}trial/", {"csv": "excel"}))
    assert sum(int(row["balance_minor"]) for row in trial) == 0
    assert next(row for row in trial if row["account"] == "sales")["balance"] == "-30.00"


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", '=HYPERLINK("http://x")']
)
def test_text_that_begins_like_a_formula_stays_text(finance: Client, text: str) -> None:
    with transaction.atomic():
        post(
            business_key=f"evil {text}",
            reference=text,
            description=text,
            entries=[Entry("sales", cny(-100), item=text), Entry("suspense", cny(100))],
        )
    found: Any = finance.get(f"{BOOKS}lines/?account=sales&currency=CNY&last={today().isoformat()}&csv=excel")
    parts = b"".join(found.streaming_content).decode()
    assert parts.startswith("\ufeffentry,")
    [row] = [
        one for one in csv.DictReader(StringIO(parts[1:], newline="")) if one["description"] == f"'{text}"
    ]
    assert (row["item"], row["reference"], row["counts"]) == (f"'{text}", f"'{text}", "-1.00")


def test_numbers_that_we_write_stay_numbers() -> None:
    [_, line] = rows_as_csv(["n", "a", "b", "c", "t"], [[-5, cny(-120), "a,b"]])
    assert line == '-5,-1.20,-120,CNY,"a,b"\r\n'


def test_roles_see_only_what_they_may(books: None) -> None:
    support, analyst = person("support"), person("risk analyst")
    for address in [*PAGES, "lines/?currency=CNY&last=2026-01-01&account=sales", "trial/?csv=plain"]:
        assert (support.get(BOOKS + address).status_code, analyst.get(BOOKS + address).status_code) == (
            403,
            403,
        )
        assert Client().get(BOOKS + address).status_code == 302
    assert f'href="{BOOKS}trial/"' not in support.get("/console/").text
    assert not AuditEntry.objects.filter(action="books.export").exists()
    administrator = person("administrator")
    assert f'href="{BOOKS}trial/"' in administrator.get("/console/").text
    assert 'data-testid="close"' not in administrator.get(f"{BOOKS}days/").text
    form = {"through": days_ago(1).isoformat(), "confirmed": days_ago(1).isoformat()}
    assert administrator.post(f"{BOOKS}days/", form).status_code == 403
    assert not DayClose.objects.exists()


def test_pages_ask_as_often_however_much_was_posted(finance: Client) -> None:
    def statements(address: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert finance.get(BOOKS + address).status_code == 200
        # The sidebar counts other apps' work now and then.
        return sum("ledger_" in query["sql"] for query in queries.captured_queries)

    few = [statements(address) for address in PAGES]
    history.write([Step("shipped", f"ord_{n}", "stripe", f"sku-{n}", 100, n % 9) for n in range(60)], "more")
    assert [statements(address) for address in PAGES] == few and all(few)


@pytest.mark.django_db(transaction=True)
def test_finance_closes_days_and_only_on_purpose(transactional_db: None) -> None:
    history.write(TWO_CHANNELS)
    finance, through = person("finance"), days_ago(3)
    page = finance.get(f"{BOOKS}days/", {"through": through.isoformat()})
    assert "7 days" in page.text and page.text.count("CN¥30.00") == 2

    def close(**form: str) -> str:
        return str(finance.post(f"{BOOKS}days/", form, follow=True).text)

    assert "Tick that you want" in close(through=through.isoformat())
    assert "Say through which day" in close(through="soon")
    assert "has not ended" in close(through=today().isoformat(), confirmed=today().isoformat())
    assert not DayClose.objects.exists()
    assert "7 days are closed" in close(through=through.isoformat(), confirmed=through.isoformat())
    assert "0 days are closed" in close(through=through.isoformat(), confirmed=through.isoformat())
    assert finance.get(f"{BOOKS}days/").text.count('data-testid="closed"') == 7
    for ago in range(10):
        told = {row.account: row.balance.minor for row in trial_balance_on(days_ago(ago)).accounts}
        assert {name: minor for name, minor in told.items() if minor} == {
            name: minor for name, minor in history.balances(days_ago(ago)).items() if minor
        }
    with pytest.raises(DayClosed), transaction.atomic():
        post(
            business_key="late",
            reference="",
            description="",
            entries=[Entry("sales", cny(-1)), Entry("suspense", cny(1))],
            on=through - timedelta(days=1),
        )
