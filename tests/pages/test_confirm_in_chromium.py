"""A customer confirms doubtful payments in a real browser, under the shop's own content policy."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings as live_settings
from django.contrib.auth import get_user_model
from django.core import mail
from django.db import connections
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from payments.models import Payment
from risk.models import Challenge, Passkey
from tests.checkout.bank import Bank
from tests.pages.conftest import check_out, order_in
from tests.pages.test_confirm import answer, code_in
from tests.patience import PAGE_PATIENCE
from tests.risk.makers import challenge_everybody

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("tea", "mail_in_memory"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]
Windows = Callable[..., Page]


@pytest.fixture
def window(live_server: Any, settings: Any, card_provider: Bank) -> Iterator[Windows]:
    """Opens a page with the cookies of one of Django's clients; complaints of the content policy fail the test."""
    settings.PUBLIC_URL = live_server.url  # a name, which passkeys need
    complaints: list[str] = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])

        def open_page(client: Client, width: int = 360, **options: Any) -> Page:
            context: BrowserContext = chromium.new_context(
                viewport={"width": width, "height": 780}, base_url=live_server.url, **options
            )
            context.add_cookies(
                [
                    {"name": name, "value": client.cookies[name].value, "url": live_server.url}
                    for name in (live_settings.SESSION_COOKIE_NAME, "device")
                    if name in client.cookies
                ]
            )
            page = context.new_page()
            page.set_default_timeout(PAGE_PATIENCE)
            page.on("console", lambda said: complaints.append(said.text) if "Policy" in said.text else None)
            return page

        expect.set_options(timeout=PAGE_PATIENCE)
        yield open_page
        chromium.close()
    assert complaints == []


def apart(work: Callable[[], Any]) -> Any:
    """Playwright's thread counts as an event loop, in which Django refuses the database."""

    def clean() -> Any:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(clean).result()


def challenged(client: Client, *kinds: str) -> str:
    """An order of the client's whose payment waits for the first of `kinds`."""
    challenge_everybody(*kinds)
    return order_in(check_out(client))


def test_a_code_is_typed_and_a_wrong_one_explained(window: Windows) -> None:
    client = Client(headers={"accept-language": "en"})
    order = apart(lambda: challenged(client, "email", "captcha"))
    page = window(client, locale="en-GB")
    page.goto(f"/pay/{order}/")
    code = code_in(mail.outbox[0])
    page.get_by_test_id("send-answer").click()
    expect(page.locator("#answer-error")).to_have_text("Enter the code that we sent you.")
    page.get_by_label("Code of six digits").fill(f"{(int(code) + 1) % 10**6:06d}")
    page.get_by_test_id("send-answer").click()
    expect(page.locator("main")).to_contain_text("4 tries are left")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_label("Code of six digits").fill(code)
    page.get_by_test_id("send-answer").click()
    expect(page.get_by_test_id("result-success")).to_be_visible()


def test_the_browser_solves_the_captcha_and_says_why_without_scripts(window: Windows) -> None:
    client = Client(headers={"accept-language": "zh-CN"})
    order = apart(lambda: challenged(client, "captcha"))
    plain = window(client, locale="zh-CN", java_script_enabled=False)
    plain.goto(f"/pay/{order}/")
    expect(plain.get_by_test_id("solve")).to_be_disabled()
    expect(plain.locator("#task")).to_contain_text("请允许本店的脚本")
    page = window(client, 1280, locale="zh-CN")
    page.goto(f"/pay/{order}/")
    expect(page.locator("[data-without-script]")).to_be_hidden()
    page.get_by_test_id("solve").click()
    expect(page.get_by_test_id("result-success")).to_be_visible()


def test_a_passkey_is_added_after_a_paid_order_and_confirms_the_next(window: Windows) -> None:
    client = Client(headers={"accept-language": "en"})

    def first_order() -> None:
        challenge_everybody("passkey", "email")
        client.force_login(get_user_model().objects.create_user("anna", email="anna@example.com"))
        answer(client, order_in(check_out(client)), code_in(mail.outbox[0]))

    apart(first_order)
    page = window(client, locale="en-GB")
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    device = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True}
    device |= {"hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True}
    authenticator = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": device})["authenticatorId"]
    page.goto("/passkeys/")
    page.get_by_label("Name of this device").fill("My phone")
    page.get_by_test_id("add-passkey").click()
    expect(page.get_by_test_id("passkey")).to_contain_text("My phone")

    second = apart(lambda: order_in(check_out(client)))
    page.goto(f"/pay/{second}/")
    devtools.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
    page.get_by_test_id("use-passkey").click()
    expect(page.locator("#task-error")).to_contain_text("That did not work")
    devtools.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": True})
    page.get_by_test_id("use-passkey").click()
    expect(page.get_by_test_id("result-success")).to_be_visible()
    kinds = apart(lambda: list(Challenge.objects.order_by("pk").values_list("kind", "state")))
    assert kinds == [("email", "PASSED"), ("passkey", "PASSED")]
    assert apart(lambda: Passkey.objects.get().sign_count) > 0
    assert apart(lambda: Payment.objects.filter(state="SUCCEEDED").count()) == 2
    page.goto("/passkeys/")
    page.get_by_role("button", name="Remove").click()
    expect(page.locator("#notices")).to_contain_text("removed")
