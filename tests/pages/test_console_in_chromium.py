"""The console on a phone: pages that hold much stay as wide as it, and the editor of rules shows what is wrong."""

from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from risk import starting_v3
from risk.models import RiskModel
from risk.services.draft_policy import draft_policy
from tests.checkout.bank import Bank
from tests.pages.test_confirm_in_chromium import CHROMIUM, Windows, apart, window
from tests.pages.test_figures_words import days_of_figures
from tests.reconciliation.operators import person

__all__ = ["window"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]
# What sticks out and is in no box that scrolls by itself.
OUTSIDE = """() => [...document.querySelectorAll("#content *")].filter((one) => {
  const box = one.getBoundingClientRect();
  let inside = one.parentElement;
  while (inside && !["auto", "scroll"].includes(getComputedStyle(inside).overflowX)) inside = inside.parentElement;
  return box.width > 1 && box.right > innerWidth + 1 && !inside;
}).map((one) => one.textContent.trim().slice(0, 40))"""


def long_policy() -> str:
    last: Any = starting_v3.RULES[-1]
    rule = {**last, "id": "a_newcomer_of_another_country_with_many_cards_at_one_door", "owner": "Ana Liszt"}
    changed = {**starting_v3.RULES[0], "weight": 25}
    return draft_policy(
        name="autumn-campaign",
        rules=[changed, *starting_v3.RULES[1:], rule],
        thresholds=starting_v3.THRESHOLDS,
        limits=starting_v3.LIMITS,
        rates=starting_v3.RATES,
        model=starting_v3.MODEL,
        actor="user:77",
    )


def signed_in() -> tuple[str, Client]:
    return long_policy(), person("risk manager")


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate(OUTSIDE) == []


def test_the_home_and_its_parts_fit_a_phone(window: Windows, card_provider: Bank) -> None:
    page = window(apart(lambda: person("administrator")))
    page.goto("/console/")
    said = {
        "sales": "No payment was begun",
        "work": "Nothing waits here",
        "funnel": "Shipped",
        "decisions": "Rejected",
        "unsettled": "paid out",
        "channels": "All channels",
    }
    for name, words in said.items():
        expect(page.get_by_test_id(name)).to_contain_text(words)
    expect(page.locator("[aria-busy]")).to_have_count(0)
    fits(page)


def test_a_long_policy_and_its_editor_fit_a_phone(window: Windows, card_provider: Bank) -> None:
    name, manager = apart(signed_in)
    page = window(manager)
    page.goto(f"/console/risk/policies/{name}/")
    expect(page.get_by_test_id("differences").locator("ins")).to_have_text("+25")
    fits(page)
    page.goto(f"/console/risk/policies/draft/?from={name}")
    rules = page.get_by_test_id("rule")
    opened = rules.evaluate_all("all => all.filter((one) => one.open).length")
    assert (rules.count(), opened) == (len(starting_v3.RULES) + 2, 1), "the one that is to be written"
    rules.nth(3).locator("summary").click()
    page.locator("#id_rules-3-expression").fill("payment.amount_cny >")
    page.get_by_label("What it is for").fill("Tighter")
    page.get_by_test_id("save").click()
    page.get_by_role("link", name="see what is wrong").click()
    expect(rules.nth(3)).to_have_attribute("open", "")
    expect(rules.nth(3)).to_contain_text("the expression can not be used")
    fits(page)


def test_a_models_record_and_what_moved_fit_a_phone(window: Windows, card_provider: Bank) -> None:
    def prepared() -> tuple[Client, str]:
        days_of_figures()
        return person("risk manager"), str(RiskModel.objects.get().pk)

    manager, key = apart(prepared)
    page = window(manager, locale="zh-CN")
    page.goto(f"/console/risk/riskmodel/{key}/change/")
    page.locator("#content summary").click()
    expect(page.locator("#content pre")).to_contain_text("不得仅凭模型拒绝任何人")
    fits(page)
    page.goto("/console/risk/figures/")
    moved = page.get_by_test_id("drift")
    expect(moved).to_contain_text("美国：")
    assert moved.evaluate("one => one.scrollWidth <= one.closest('[role=region]').clientWidth")
    fits(page)
