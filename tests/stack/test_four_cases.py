"""The four cases of the source document, as a customer and an operator see them."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.patience import PAGE_PATIENCE
from tests.stack.copy import Stack
from tests.stack.shopping import (
    AMERICA,
    AMERICAN_CARD,
    CHINA,
    CHINESE_CARD,
    order_by_card,
    order_by_wallet,
    order_of,
    see,
    sign_in,
)

pytestmark = [pytest.mark.browser, pytest.mark.stack]


def payment_in_console(chromium: Browser, stack: Stack, order: str) -> Page:
    """The console's page of the order's payment."""
    console = as_operator(chromium, stack, "admin")
    console.goto(f"/console/payments/payment/?q={order}")
    console.locator("#result_list tbody tr a").first.click()
    return console


def as_operator(chromium: Browser, stack: Stack, name: str) -> Page:
    console = chromium.new_context(base_url=stack.url, viewport={"width": 1280, "height": 900}).new_page()
    console.set_default_timeout(PAGE_PATIENCE)
    console.goto("/console/")
    console.fill("#id_username", name)
    console.fill("#id_password", stack.sign_in_words(name))
    console.locator("button[type=submit]").first.click()
    console.wait_for_url(lambda url: "/login/" not in url)
    return console


def test_normal_small_payment_goes_straight_through(page: Page, chromium: Browser, stack: Stack) -> None:
    sign_in(page, stack)
    order_by_card(page, "longjing-tea", CHINA, CHINESE_CARD)
    see(page, "success")
    expect(page.locator("main")).to_contain_text("100.00")
    console = payment_in_console(chromium, stack, order_of(page))
    expect(console.locator("body")).to_contain_text("succeeded")
    expect(console.locator("body")).to_contain_text("low")


@pytest.mark.parametrize(("answer", "result"), [("pass", "success"), ("fail", "failed")])
def test_large_new_customer_meets_the_bank(
    page: Page, chromium: Browser, stack: Stack, answer: str, result: str
) -> None:
    order_by_card(page, "studio-laptop", CHINA, AMERICAN_CARD)
    frame = page.get_by_test_id("challenge-frame")
    expect(frame).to_be_visible()
    button = {"pass": "Complete", "fail": "Fail"}[answer]
    frame.content_frame.get_by_role("button", name=button).click()
    see(page, result)
    if answer == "fail":
        expect(page.locator("main")).to_contain_text("Nothing was charged")
    console = payment_in_console(chromium, stack, order_of(page))
    expect(console.locator("body")).to_contain_text("medium")


@pytest.mark.parametrize(("decision", "result"), [("approve", "success"), ("reject", "refused")])
def test_cross_border_waits_for_a_person(
    page: Page, chromium: Browser, stack: Stack, decision: str, result: str
) -> None:
    sign_in(page, stack)
    order_by_card(page, "field-camera", AMERICA, CHINESE_CARD)
    see(page, "review")
    order = order_of(page)

    analyst = as_operator(chromium, stack, "analyst")
    analyst.goto("/console/payments/review/")
    analyst.get_by_role("link", name=order).click()
    expect(analyst.locator("body")).to_contain_text("(high)")
    analyst.fill(
        "[name=reason]", "Called the customer" if decision == "approve" else "Address is a forwarder"
    )
    analyst.get_by_test_id(decision).click()

    see(page, result)  # the page turns by itself


@pytest.mark.parametrize("method", ["alipay", "wechat_pay"])
def test_wallets_by_qr(page: Page, stack: Stack, method: str) -> None:
    order_by_wallet(page, "desk-lamp", method)
    expect(page.get_by_test_id("qr")).to_be_visible()
    channel = {"alipay": "alipay", "wechat_pay": "wechat"}[method]
    [waiting] = [found for found in stack.waiting_at_provider() if found["channel"] == channel]
    assert (waiting["amount"], waiting["currency"]) == (20_000, "CNY")

    stack.ask_sandbox("POST", f"/control/payments/{waiting['id']}/pay")

    see(page, "success")  # the page turns by itself


def test_everything_agrees_afterwards(stack: Stack) -> None:
    report = stack.verify()
    assert report["ok"], report["broken"]
