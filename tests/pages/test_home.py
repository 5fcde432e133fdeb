"""The console's home: today beside yesterday and a week ago, and to each person what they may open."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config.home.spans import spans
from config.home.work import QUEUES
from ledger.identifiers import first_key_of
from payments.daily import begun_on
from reconciliation.models import Discrepancy
from reconciliation.stuck import every_kind
from risk.daily import taken_between
from risk.models import HourFigures, ListChange, Reader, RiskCase
from tests.pages import days
from tests.reconciliation.operators import person

pytestmark = pytest.mark.django_db
SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 3, 4, 10, 30, tzinfo=SHANGHAI)  # a Wednesday
YESTERDAY, WEEK_AGO = NOW - timedelta(days=1), NOW - timedelta(days=7)
MINUTE = timedelta(minutes=1)
PARTS = ("sales", "work", "funnel", "decisions", "unsettled", "channels")


@pytest.fixture(autouse=True)
def half_past_ten() -> Iterator[None]:
    cache.clear()
    with time_machine.travel(NOW, tick=False):
        yield


def part(client: Client, name: str) -> Any:
    return client.get(f"/console/home/{name}/", headers={"HX-Request": "true"})


def words(client: Client, name: str) -> str:
    """What the part says, without its marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", part(client, name).text))


def links(client: Client, name: str) -> list[str]:
    return [found.replace("&amp;", "&") for found in re.findall(r'href="([^"]+)"', part(client, name).text)]


def test_a_morning_is_compared_with_mornings(admin_client: Client) -> None:
    days.payments(NOW - MINUTE, SUCCEEDED=6, FAILED=1, CANCELLED=1, PROCESSING=2)
    days.payments(YESTERDAY - MINUTE, SUCCEEDED=4, FAILED=1)
    days.payments(YESTERDAY + MINUTE, SUCCEEDED=50)  # later in the day than now
    days.payments(YESTERDAY.replace(hour=0, minute=0) - MINUTE, SUCCEEDED=70)  # the day before
    days.payments(WEEK_AGO - MINUTE, SUCCEEDED=2, FAILED=2)
    said = words(admin_client, "sales")
    assert "Payments begun 10 yesterday 5 +100 % a week ago 4 +150 %" in said
    assert (
        "Success rate 75.0 % 6 of 8 that ended yesterday 80.0 % -5.0 points a week ago 50.0 % +25.0 points"
        in said
    )
    assert "CN¥600.00 yesterday CN¥400.00 +50 % a week ago CN¥200.00 +200 %" in said
    assert "10:00 10 54 4" not in said and "10:00 10 55 4" in said  # the chart's other days are whole
    page = admin_client.get("/console/").text
    assert "Today, 2026-03-04, until 10:30 (Asia/Shanghai), beside yesterday and 2026-02-25" in page


def test_currencies_are_never_added_up(admin_client: Client) -> None:
    days.payments(NOW - MINUTE, SUCCEEDED=1)
    days.payments(NOW - 2 * MINUTE, currency="JPY", fen=500, SUCCEEDED=1)
    days.payments(YESTERDAY - MINUTE, currency="EUR", SUCCEEDED=1)
    said = words(admin_client, "sales")
    assert "CN¥100.00 yesterday CN¥0.00 –" in said
    assert "¥500 yesterday ¥0 –" in said
    assert "€0.00 yesterday €100.00 -100 %" in said


def test_a_day_on_which_clocks_are_put_back_is_whole(settings: Any) -> None:
    settings.LEDGER_TIME_ZONE = "Europe/Berlin"
    day = spans(datetime(2026, 10, 26, 9, 30, tzinfo=UTC)).yesterday
    assert (day.begin.astimezone(UTC).hour, day.until.astimezone(UTC).hour, day.end.astimezone(UTC).hour) == (
        22,
        9,
        23,
    )
    for hours in (0.5, 2.5, 3.5, 24.5):  # 00:30, 02:30 twice, 23:30
        days.payments(day.begin.astimezone(UTC) + timedelta(hours=hours), SUCCEEDED=1)
    found = begun_on(day.begin, day.until, day.end)
    assert (found.count, found.by_hour) == (3, (1, 0, 2, *[0] * 20, 1))


def test_the_slowest_answers(admin_client: Client) -> None:
    days.payments(NOW - MINUTE, latency_ms=100, SUCCEEDED=19)
    days.payments(NOW - 2 * MINUTE, latency_ms=9_000, SUCCEEDED=2)
    assert "9,000 ms p95 of 21 first answers of channels yesterday – – a week ago – –" in words(
        admin_client, "sales"
    )


def test_each_step_of_the_funnel_is_a_part_of_the_one_before(admin_client: Client) -> None:
    days.orders(
        NOW - MINUTE, REJECTED=2, CANCELLED=1, PENDING_PAYMENT=2, PAID=3, FULFILLED=1, CANCELLED_AFTER_PAY=1
    )
    days.payments(NOW - MINUTE, SUCCEEDED=8)  # for the first eight of the ten
    days.orders(YESTERDAY + MINUTE, PAID=9)
    days.orders(YESTERDAY - MINUTE, PAID=1, FULFILLED=1)
    said = words(admin_client, "funnel")
    assert "Checkout 10 100.0 % 2 100.0 % 0 –" in said
    assert "Order 8 80.0 % 2" in said and "Payment begun 8 80.0 % 0 0.0 %" in said
    assert "Paid 5 50.0 % 2 100.0 % 0 –" in said and "Shipped 1 10.0 % 1 50.0 % 0 –" in said


def test_risk_counts_each_decision_once(admin_client: Client) -> None:
    """Whole hours come from their figures as far as those are taken, the rest from the decisions."""
    days.decisions(NOW - 3 * 60 * MINUTE, {"accept": 7, "review": 1})
    days.decisions(NOW - MINUTE, {"accept": 1, "reject": 1})
    days.decisions(YESTERDAY - MINUTE, {"challenge": 4})
    days.decisions(YESTERDAY + MINUTE, {"challenge": 40})
    from_keys = words(admin_client, "decisions")
    assert "Decisions about payments: 10 today" in from_keys
    assert "Accepted 8 80.0 % 0 0.0 % 0 –" in from_keys and "Challenged 0 0.0 % 4 100.0 % 0 –" in from_keys
    HourFigures.objects.create(began_at=NOW.replace(hour=7, minute=0), actions={"accept": 7, "review": 1})
    HourFigures.objects.create(began_at=NOW.replace(hour=10, minute=0), actions={"accept": 1})
    Reader.objects.create(name="day_figures", through=first_key_of(NOW - 2 * MINUTE))
    assert words(admin_client, "decisions") == from_keys
    HourFigures.objects.filter(began_at=NOW.replace(hour=7, minute=0)).update(actions={"accept": 70})
    assert "Accepted 71" in words(admin_client, "decisions")


def test_a_zone_whose_day_begins_within_an_hour(settings: Any) -> None:
    settings.LEDGER_TIME_ZONE = "Asia/Kolkata"
    today = spans(NOW).today
    assert str(today.begin) == "2026-03-04 00:00:00+05:30"
    days.decisions(today.begin - MINUTE, {"reject": 5})
    days.decisions(today.begin + MINUTE, {"accept": 2})
    Reader.objects.create(name="day_figures", through=first_key_of(NOW))
    HourFigures.objects.create(began_at=today.begin - 30 * MINUTE, actions={"accept": 2, "reject": 5})
    assert taken_between(today.begin, today.until) == {"accept": 2}


def test_work_with_its_age_and_what_is_late(admin_client: Client) -> None:
    days.decisions(NOW - 60 * MINUTE, {"review": 2})
    for number, decide_by in enumerate((NOW - MINUTE, NOW + MINUTE)):
        RiskCase.objects.create(
            decision_id=days.key_at(NOW - 60 * MINUTE, number),
            subject=f"pay_{number}",
            opened_at=NOW - timedelta(hours=3, minutes=number),
            decide_by=decide_by,
        )
    ListChange.objects.create(
        kind="add", reason="why", proposed_by="user:1", proposed_at=NOW - timedelta(days=2)
    )
    Discrepancy.objects.create(
        channel="alipay", kind="amount", subject="pay_1", reference="ord_1", amount=100, currency="CNY",
        told_amount=90, told_currency="CNY", amount_at_risk=10, first_seen_at=NOW - timedelta(days=3),
        last_seen_at=NOW, source="statement",
    )  # fmt: skip
    said = words(admin_client, "work").replace("\xa0", " ")
    assert "Review queue 1 late 2 , the oldest for 3 hours" in said
    assert "List entries to confirm 1 , the oldest for 2 days" in said
    assert "Stuck money 1 late 1 , the oldest for 3 days At risk: CN¥0.10 Amount mismatch 1" in said
    assert "Nothing waits here: Refunds to approve · Disputes · " in said
    assert "/console/stuck/?kind=mismatch&sort=oldest" in links(admin_client, "work")


def test_every_figure_leads_to_the_rows_behind_it(admin_client: Client) -> None:
    days.orders(NOW - MINUTE, PAID=2, FULFILLED=1)
    days.orders(YESTERDAY, PAID=1)
    days.payments(NOW - MINUTE, SUCCEEDED=3, FAILED=2)
    days.payments(YESTERDAY, SUCCEEDED=1)
    days.decisions(NOW - MINUTE, {"accept": 2, "reject": 1})
    days.decisions(YESTERDAY, {"accept": 1})
    found = {}
    for name in PARTS:
        for link in links(admin_client, name):
            page = admin_client.get(link)
            assert page.status_code == 200, link
            if page.context and "cl" in page.context:
                found[name, link] = page.context["cl"].result_count
    assert [number for (name, _), number in found.items() if name == "sales"] == [5, 3, 3]
    assert [number for (name, _), number in found.items() if name == "funnel"] == [3, 3, 1]
    assert [number for (name, _), number in found.items() if name == "decisions"] == [2, 1]


def test_a_shop_of_which_nothing_happened_yet(admin_client: Client) -> None:
    sales = words(admin_client, "sales")
    assert "Payments begun 0 yesterday 0 – a week ago 0 –" in sales
    assert "Success rate – 0 of 0 that ended yesterday – –" in sales
    assert "No payment was begun on any of these days." in sales
    assert "Checkout 0 – 0 – 0 –" in words(admin_client, "funnel")
    assert "Accepted 0 – 0 – 0 –" in words(admin_client, "decisions")
    assert "Every channel has paid out everything." in words(admin_client, "unsettled")
    assert all(part(admin_client, name).status_code == 200 for name in PARTS)


@pytest.mark.parametrize(
    ("role", "sees", "queues"),
    [
        ("support", {"sales", "funnel", "work", "channels"}, {"Refunds to approve", "Disputes", "Stuck money"}),
        ("risk analyst", {"sales", "funnel", "work", "channels", "decisions"},
         {"Review queue", "Warnings of risk", "Refunds to approve", "Disputes"}),
        ("finance", {"sales", "funnel", "work", "channels", "unsettled"},
         {"Refunds to approve", "Disputes", "Discrepancies", "Repairs to approve", "Days that did not close",
          "Stuck money"}),
    ],
)  # fmt: skip
def test_each_sees_only_what_they_may_open(role: str, sees: set[str], queues: set[str]) -> None:
    somebody = person(role)
    page = somebody.get("/console/").text
    assert {name for name in PARTS if f'data-testid="{name}"' in page} == sees
    assert {name: part(somebody, name).status_code for name in PARTS} == {
        name: 200 if name in sees else 403 for name in PARTS
    }
    said = words(somebody, "work").partition("Nothing waits here:")[2]
    assert {name.strip() for name in said.split("·")} == queues


def test_who_may_nothing_sees_no_figure(client: Client, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("new", is_staff=True))
    page = client.get("/console/").text
    assert "/console/home/" not in page and "All records" in page
    assert part(client, "sales").status_code == 403
    assert Client().get("/console/home/sales/").status_code == 302
    assert client.get("/console/home/nothing/").status_code == 404


def test_a_part_stands_in_the_page_where_no_script_runs(client: Client, django_user_model: Any) -> None:
    somebody = django_user_model.objects.create_user("sam", is_staff=True)
    somebody.user_permissions.add(Permission.objects.get(codename="view_payment"))
    client.force_login(somebody)
    days.payments(NOW - MINUTE, SUCCEEDED=3)
    page = client.get("/console/home/sales/").text
    assert "3 of 3 that ended" in page and "<html" in page and "All records" in page


def test_the_statements_of_each_part_are_few_however_much_there_is(admin_client: Client) -> None:
    few = {"sales": 6, "funnel": 6, "decisions": 7, "unsettled": 4, "channels": 4}
    few["work"] = len(QUEUES) + len(every_kind())
    for many in (0, 20):
        for day in (NOW, YESTERDAY, WEEK_AGO) if many else ():
            days.orders(day - MINUTE, PAID=many)
            days.payments(day - MINUTE, SUCCEEDED=many)
            days.decisions(day - MINUTE, {"accept": many})
        for name, most in few.items():
            with CaptureQueriesContext(connection) as asked:
                part(admin_client, name)
            own = [
                one
                for one in asked.captured_queries
                if "session" not in one["sql"] and "auth_" not in one["sql"]
            ]
            assert len(own) <= most, (name, [one["sql"][:80] for one in own])
