"""A real browser says what it looks like and how the form was filled in, under the shop's own content policy."""

import hashlib
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from playwright.sync_api import Page, expect

from risk.models import Decision, Device
from tests.checkout.bank import Bank
from tests.pages.conftest import ADDRESS
from tests.pages.messages import ROOT
from tests.pages.test_confirm_in_chromium import Windows, apart, window

__all__ = ["window"]

VENDOR = ROOT / "checkout" / "static" / "checkout" / "vendor"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def test_the_vendored_script_is_the_published_one() -> None:
    listed = re.findall(r"\| `([\w.-]+\.js)` \|.*\| `([0-9a-f]{64})` \|", (VENDOR / "README.md").read_text())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.glob("*.js")}
    assert found == dict(listed) and list(found) == ["fingerprintjs-5.2.0.min.js"]
    head = (VENDOR / "fingerprintjs-5.2.0.min.js").read_text()[:200]
    assert "FingerprintJS v5.2.0" in head and "Licensed under MIT" in head


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("tea", "mail_in_memory")
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
class TestInChromium:
    @pytest.fixture(autouse=True)
    def no_card_fields(self, settings: Any, card_provider: Bank) -> None:
        settings.STRIPE = {**settings.STRIPE, "js_url": "/nowhere.js"}

    def shop(self) -> Client:
        """A signed-in customer with tea in the cart."""
        client = Client(headers={"accept-language": "en"})
        client.force_login(get_user_model().objects.get_or_create(username="anna")[0])
        client.post("/cart/add", {"sku": "tea", "quantity": "1"})
        client.get("/checkout/")
        return client

    def fill(self, page: Page) -> None:
        """E-mail by hand, the street pasted, the rest as a browser fills it in."""
        page.goto("/checkout/")
        page.wait_for_load_state("networkidle")
        page.locator("#id_email").evaluate("field => { field.value = ''; }")
        page.get_by_label("E-mail").press_sequentially(ADDRESS["email"], delay=30)
        for name in ("name", "phone", "city", "region", "postal_code"):
            page.locator(f"#id_{name}").fill(ADDRESS[name])
        page.locator("#id_line1").evaluate(
            """(field, text) => {
                field.dispatchEvent(new ClipboardEvent("paste", { bubbles: true }));
                field.value = text;
            }""",
            ADDRESS["line1"],
        )
        page.locator("input[name=method][value=alipay]").check(force=True)

    def test_fingerprint_and_behaviour_come_with_the_order(
        self, window: Windows, card_provider: Bank
    ) -> None:
        page = window(apart(self.shop), 1280, locale="en-GB")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        self.fill(page)
        page.get_by_test_id("checkout-submit").click()
        expect(page.get_by_test_id("result-success")).to_be_visible()
        told: dict[str, Any] = apart(lambda: Decision.objects.filter(stage="payment").get().inputs)
        behaved = told["facts"]["behaviour"]
        assert behaved["keystrokes"] == len(ADDRESS["email"]) and behaved["pastes"] == 1
        assert 20 <= behaved["keystroke_ms"] < 1000 and 0 <= behaved["seconds_on_page"] < 60
        assert told["facts"]["device"]["label"].startswith("Chrome")
        assert not [url for url in asked if "openfpcdn" in url]

        again = window(apart(self.shop), 1280, locale="en-GB")  # another cookie, the same browser
        self.fill(again)
        again.get_by_test_id("checkout-submit").click()
        expect(again.get_by_test_id("result-success")).to_be_visible()
        rows = apart(lambda: list(Device.objects.values_list("device_key", "fingerprint_key")))
        prints = {print_ for _, print_ in rows}
        assert len(rows) == 2 and len(prints) == 1 and prints != {""}
        last = apart(lambda: Decision.objects.filter(stage="payment").order_by("-id")[0].inputs["device"])
        assert last["twins"] == 1

    def test_without_scripts_the_order_goes_as_ever(self, window: Windows) -> None:
        page = window(apart(self.shop), locale="en-GB", java_script_enabled=False)
        page.goto("/checkout/")
        for name in ("email", "name", "phone", "line1", "city", "region", "postal_code"):
            page.locator(f"#id_{name}").fill(ADDRESS[name])
        page.locator("input[name=method][value=alipay]").check(force=True)
        page.get_by_test_id("checkout-submit").click()
        expect(page.get_by_test_id("result-success")).to_be_visible()
        behaved = apart(lambda: Decision.objects.filter(stage="payment").get().inputs["facts"]["behaviour"])
        assert behaved["keystrokes"] is None and behaved["seconds_on_page"] is not None


def test_the_scripts_stand_on_every_page_with_the_form() -> None:
    pages = [path.name for path in Path(ROOT / "templates" / "checkout").glob("*.html")]
    with_form = {name for name in pages if "data-conduct" in (ROOT / "templates/checkout" / name).read_text()}
    assert with_form == {"checkout.html", "_pay_form.html"}
