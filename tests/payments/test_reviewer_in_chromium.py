"""A reviewer works twenty cases in a real browser, and a manager the one that was handed up."""

from collections import Counter
from typing import Any

import pytest
from playwright.sync_api import Page

from ledger.selectors import audit_trail, transactions_of
from payments import selectors
from payments.selectors import PaymentView
from payments.services.start_payment import start_payment
from risk.models import ListEntry, RiskCase
from tests.payments.conftest import CHINESE_VISA, Till
from tests.reconciliation.operators import person
from tests.reconciliation.test_desk_in_chromium import CHROMIUM, elsewhere, open_as

__all__ = ["open_as"]
CASES = 20
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


def held(till: Till) -> dict[str, PaymentView]:
    """Twenty that wait, of rising amounts, by case."""
    cards = (CHINESE_VISA, "6200000000000005")  # ten payments a minute are not too many for one card
    asked = [
        till.intent(fen=300_000 + 5_000 * n, to="US", instrument=till.card(cards[n % 2]))
        for n in range(CASES)
    ]
    waiting = [start_payment(intent=intent) for intent in asked]
    assert {payment.state for payment in waiting} == {"IN_REVIEW"}
    return {payment.case: payment for payment in waiting}


def take_next(page: Page) -> str:
    page.goto("/console/payments/review/")
    page.get_by_role("button", name="Take the next").click()
    return page.url.rstrip("/").rpartition("/")[2]


def decide(page: Page, do: str, reason: str) -> None:
    page.locator("#reason").fill(reason)
    page.get_by_test_id(do).click()


def test_a_reviewer_works_twenty_cases(till: Till, open_as: Any) -> None:
    waiting = elsewhere(lambda: held(till))
    ana, max_ = elsewhere(lambda: (person("risk analyst", "ana"), person("risk manager", "max")))
    page, seen = open_as(ana), []
    for number in range(CASES):
        case = take_next(page)
        seen.append(case)
        assert page.get_by_test_id("graph").is_visible()
        if number == 3:
            page.locator("#note").fill("Called twice, no answer")
            page.get_by_test_id("note").click()
            assert "Called twice" in page.get_by_test_id("notes").inner_text()
        do = "escalate" if number == 5 else ("reject" if number % 4 == 3 else "approve")
        decide(page, do, f"Case {number}")
        if number == 3:
            page.locator("#entity").select_option("card")
            page.locator("#kind").select_option("grey")
            page.locator("#list-reason").fill("Stolen")
            page.get_by_role("button", name="Put on the list").click()
    manager = open_as(max_)
    assert take_next(manager) == seen[5]
    decide(manager, "approve", "I know them")
    manager.goto("/console/payments/review/people/")
    assert manager.locator("[data-actor]").count() == 2
    elsewhere(lambda: _agree(till, waiting, seen))


def _agree(till: Till, waiting: dict[str, PaymentView], seen: list[str]) -> None:
    losses = {row.public_id: row.expected_loss for row in RiskCase.objects.all()}
    assert sorted(seen) == sorted(waiting) and seen == sorted(seen, key=lambda case: -losses[case])
    states = Counter(selectors.payment(payment.id).state for payment in waiting.values())
    assert states == {"SUCCEEDED": 15, "CANCELLED": 5}
    assert sum(len(transactions_of(payment.reference)) for payment in waiting.values()) == 15
    assert ListEntry.objects.get().entity == "card"
    for number, case in enumerate(seen):
        steps = [entry.after for entry in audit_trail(case) if entry.action == "riskcase.state"]
        end = "REJECTED" if number % 4 == 3 else "APPROVED"
        handed_up = ["ESCALATED", "ASSIGNED"] if number == 5 else []
        assert steps == ["OPEN", "ASSIGNED", *handed_up, end]
        assert all(entry.actor.startswith("user:") for entry in audit_trail(case) if entry.after != "OPEN")
    assert [entry.action for entry in audit_trail(seen[3])].count("riskcase.note") == 1
