"""Every discrepancy is repaired in the console, in Chromium; a second person agrees where two are needed."""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from playwright.sync_api import Page, sync_playwright

from bench.month.world import Month

OPEN = """SELECT ledger_public_id('dis', id), kind, channel FROM reconciliation_discrepancy
    WHERE state IN ('OPEN', 'INVESTIGATING') ORDER BY id"""
_WAITING = """SELECT ledger_public_id('dis', d.id) FROM reconciliation_repair r
    JOIN reconciliation_discrepancy d ON d.id = r.discrepancy_id WHERE r.state = 'WAITING' ORDER BY r.id"""
# It is their statements that are wrong here: what was booked because of them is put right.
_AT_BANK = ("correct_deposit", "correct", "accept")
_IN_CHANNEL = ("correct_payout", "correct", "accept")
# Two rows of the bank's may be about one transfer: when one has been put right, the other is another matter.
_ROUNDS = 2
_REASON = "Compared with the provider's own account"


def repair_all(month: Month, liars: Mapping[str, str]) -> Counter[str]:
    """How many were repaired, by what was done. `liars` are known from asking the provider or the bank."""
    done: Counter[str] = Counter()
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        finance, manager = (_signed_in(month, chromium, name) for name in ("finance", "manager"))
        for _ in range(_ROUNDS):
            for name, _, channel in month.rows(OPEN):
                is_bank = liars.get(name, channel) == "bank"
                done[_repair(finance, name, _AT_BANK if is_bank else _IN_CHANNEL)] += 1
            for (name,) in month.rows(_WAITING):
                done[_decide(manager, name)] += 1
        chromium.close()
    return done


def _signed_in(month: Month, chromium: Any, name: str) -> Page:
    context = chromium.new_context(base_url=month.stack.url, java_script_enabled=False)
    context.route("**/static/**", lambda route: route.abort())
    page: Page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto("/sign-in/")
    page.locator('input[name="username"]').fill(name)
    page.locator('input[name="password"]').fill(month.stack.sign_in_words(name))
    page.locator('input[name="password"]').press("Enter")
    page.wait_for_load_state()
    return page


def _repair(page: Page, name: str, wanted: Sequence[str]) -> str:
    """The first of these that is offered."""
    page.goto(f"/console/discrepancies/{name}/")
    if page.get_by_test_id("take-up").count():
        _click(page, "take-up")
    for kind in wanted:
        offer = page.get_by_test_id(f"offer-{kind}")
        if not offer.count():
            continue
        other = page.get_by_test_id(f"or-{kind}")
        if other.count():
            other.locator("summary").click()
        offer.get_by_role("textbox").fill(_REASON)
        with page.expect_navigation():
            offer.get_by_test_id("do").click()
        return kind
    raise AssertionError(f"{name} can not be repaired: {page.url}")


def _decide(page: Page, name: str) -> str:
    """What is no longer as it was when it was proposed can not be approved: it is looked at again."""
    page.goto(f"/console/discrepancies/{name}/")
    for decision, done in (("approve", "approved"), ("reject", "rejected")):
        page.get_by_test_id("waiting").get_by_role("textbox").fill(_REASON)
        _click(page, decision)
        if not page.get_by_test_id("waiting").count():
            return done
    raise AssertionError(f"{name} can not be decided: {page.url}")


def _click(page: Page, button: str) -> None:
    """And wait for the page that comes of it."""
    with page.expect_navigation():
        page.get_by_test_id(button).click()
