"""A person repairs a discrepancy of each kind in a real browser; a second one agrees where two are needed."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client
from playwright.sync_api import Page, sync_playwright

from ledger.selectors import trial_balance
from reconciliation.models import Discrepancy
from reconciliation.states import DiscrepancyKind as K
from reconciliation.states import Side
from tests.patience import PAGE_PATIENCE
from tests.reconciliation.differences import difference, item, missing_here, missing_there, statement
from tests.reconciliation.operators import person

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


@pytest.fixture
def open_as(live_server: Any) -> Iterator[Any]:
    """A window in which somebody is signed in, without scripts: the pages need none."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])

        def window(client: Client) -> Page:
            context = chromium.new_context(
                viewport={"width": 360, "height": 780}, base_url=live_server.url, java_script_enabled=False
            )
            context.route("**/static/**", lambda route: route.abort())
            cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies(
                [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
            )
            page = context.new_page()
            page.set_default_timeout(PAGE_PATIENCE)
            return page

        yield window
        chromium.close()


def elsewhere(work: Any) -> Any:
    """While Playwright runs, its thread counts as an event loop, and Django refuses it the database."""

    def clean() -> Any:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(clean).result()


def repair(page: Page, row: Discrepancy, kind: str) -> None:
    page.goto(f"/console/discrepancies/{row.public_id}/")
    if page.get_by_test_id("take-up").count():
        page.get_by_test_id("take-up").click()
    alternative = page.get_by_test_id(f"or-{kind}")
    if alternative.count():
        alternative.locator("summary").click()
    offer = page.get_by_test_id(f"offer-{kind}")
    offer.get_by_role("textbox").fill("As the statement says")
    offer.get_by_test_id("do").click()


def approve(page: Page, row: Discrepancy) -> None:
    page.goto("/console/discrepancies/approvals/")
    page.locator(f'a[href*="{row.public_id}"]').click()
    page.get_by_test_id("waiting").get_by_role("textbox").fill("Seen the statement")
    page.get_by_test_id("approve").click()


def match(page: Page, row: Discrepancy, mate: str) -> None:
    page.goto(f"/console/discrepancies/{row.public_id}/")
    page.get_by_test_id("take-up").click()
    force = page.get_by_test_id("force")
    force.locator("summary").click()
    force.locator(f'input[value="{mate}"]').check()
    force.get_by_role("combobox").select_option("fee")
    force.get_by_role("textbox").fill("Same payer")
    force.get_by_test_id("do-force").click()


def test_each_kind_is_repaired_from_the_console(open_as: Any, settings: Any) -> None:
    settings.RECONCILIATION_APPROVAL_ABOVE = {"CNY": 10_000}
    rows = elsewhere(_every_kind)
    fay, max_ = elsewhere(lambda: (person("finance", "fay"), person("risk manager", "max")))
    mate, pages = rows.pop("mate"), (open_as(fay), open_as(max_))
    how = {K.FEE: "post_fee", K.LATE: "accept", K.MISSING_THERE: "write_off", K.DEPOSIT_MISSING: "write_off"}
    for kind, row in rows.items():
        if kind == "matched":
            match(pages[0], row, mate.public_id)
        else:
            repair(pages[0], row, how.get(kind, "suspense"))
    for kind in (K.MISSING_THERE, K.DEPOSIT_MISSING, K.BANK_UNEXPLAINED):
        approve(pages[1], rows[kind])
    states, books = elsewhere(
        lambda: ({row.kind: row.state for row in Discrepancy.objects.order_by("-pk")}, _books())
    )
    assert books == {
        "bank:main": 20_000,
        "channel_fees:wechat": 3 - 10,
        "receivable:wechat": 3_000 - 5_000 - 100 - 6_000 + 4_000 + 2_000 - 700 - 3 + 10,
        "suspense": -3_000 + 100 + 6_000 - 4_000 - 2_000 - 20_000,
        "write_offs": 5_000 + 700,
    }
    written_off = [kind for kind, state in states.items() if state == "WRITTEN_OFF"]
    assert sorted(written_off) == ["deposit_missing", "missing_there"]


def _every_kind() -> dict[Any, Any]:
    file = statement()
    mate = item(file, 990, Side.OURS)
    return {
        "mate": mate,
        "matched": missing_here(1_000, file=file),
        K.MISSING_HERE: missing_here(3_000, file=file),
        K.MISSING_THERE: missing_there(5_000, file=file),
        K.AMOUNT: difference(K.AMOUNT, ours=5_000, told=4_900),
        K.CURRENCY: difference(K.CURRENCY, ours=6_000, told=None, at_risk=6_000),
        K.STATE: difference(K.STATE, told=4_000, their_state="success"),
        K.FEE: difference(K.FEE, ours=100, told=100, fee=1_000, told_fee=4_000),
        K.DUPLICATE: difference(K.DUPLICATE, told=2_000),
        K.LATE: difference(K.LATE, ours=100, told=100),
        K.DEPOSIT_MISSING: difference(K.DEPOSIT_MISSING, ours=700, at_risk=700),
        K.BANK_UNEXPLAINED: difference(
            K.BANK_UNEXPLAINED, told=20_000, line_kind="credit", theirs_facts={"account": "bank:main"}
        ),
    }


def _books() -> dict[str, int]:
    return {one.account: one.balance.minor for one in trial_balance().accounts if one.balance.minor}
