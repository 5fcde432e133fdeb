"""The card field and the 3-D Secure page in a real browser, on a shop's page of another origin."""

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, sync_playwright

from tests.channels.drivers.stripe import StripeDriver
from tests.channels.world import Receiver, Sandbox
from tests.patience import PAGE_PATIENCE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium here"),
]

SHOP = """<!doctype html>
<html lang="%(language)s"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Shop</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 0; padding: 16px; background: #f6f7f9; }
  .box { max-width: 26rem; margin: auto; display: grid; gap: 10px; }
  .StripeElement { background: #fff; border: 1px solid #aab4be; padding: 11px 12px; }
  .StripeElement--focus { border-color: #1d4ed8; box-shadow: 0 0 0 3px #1d4ed833; }
  .StripeElement--invalid { border-color: #b3261e; }
  #error { color: #b3261e; min-height: 1.5em; margin: 0; }
  button { min-height: 44px; }
</style>
<form class="box" id="pay">
  <b>Card</b>%(places)s<p id="error" role="alert"></p><button>Pay</button><output></output>
</form>
<script src="%(script)s"></script>
<script>
  const stripe = Stripe("%(key)s");
  const elements = stripe.elements({ locale: "%(language)s" });
  const fields = %(kinds)s.map((kind) => {
    const field = elements.create(kind, { style: { base: { fontSize: "16px", color: "#101820" } } });
    field.mount("#" + kind);
    field.on("change", ({ error }) => {
      document.getElementById("error").textContent = error ? error.message : "";
    });
    field.on("ready", () => {
      document.body.dataset.ready = Number(document.body.dataset.ready || 0) + 1;
    });
    return field;
  });
  window.heard = [];
  window.addEventListener("message", ({ data }) => heard.push(JSON.stringify(data)));
  document.getElementById("pay").addEventListener("submit", async (event) => {
    event.preventDefault();
    const asked = { type: "card", card: fields[0], billing_details: { name: "Wang Fang" } };
    const { paymentMethod, error } = await stripe.createPaymentMethod(asked);
    document.querySelector("output").textContent = error ? "error " + error.code : paymentMethod.id;
  });
</script>
</html>"""


@pytest.fixture(scope="module")
def stripe(sandbox: Sandbox, receiver: Receiver) -> StripeDriver:
    return StripeDriver(sandbox, receiver)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield running
        running.close()


@pytest.fixture(scope="module")
def shop(sandbox: Sandbox, stripe: StripeDriver) -> Iterator[str]:
    """The address of a page that mounts `?kinds=` in `?language=`; its origin is not the sandbox's."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kinds = ["cardNumber", "cardExpiry", "cardCvc"] if "split" in self.path else ["card"]
            filled = SHOP % {
                "language": "zh" if "zh" in self.path else "en",
                "script": sandbox.url + "/stripe/js/v3/",
                "key": stripe.account["publishable_key"],
                "places": "".join(f'<div id="{kind}"></div>' for kind in kinds),
                "kinds": kinds,
            }
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(filled.encode())

        def log_message(self, format: str, *args: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    opened = context.new_page()
    opened.set_default_timeout(PAGE_PATIENCE)
    yield opened
    context.close()


def opened(page: Page, address: str, fields: int = 1) -> FrameLocator:
    page.goto(address)
    page.wait_for_selector(f'body[data-ready="{fields}"]')
    return page.frame_locator("iframe").first


def test_a_card_typed_with_the_keyboard_becomes_a_token(page: Page, shop: str, stripe: StripeDriver) -> None:
    frame = opened(page, shop)
    frame.locator("#number").focus()
    page.keyboard.type("4242424242424242")
    page.keyboard.type("440")
    page.keyboard.type("123")
    assert frame.locator("#number").input_value() == "4242 4242 4242 4242"
    assert frame.locator("#expiry").input_value() == "04 / 40"
    assert frame.locator("#cvc").input_value() == "123"
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('output').textContent !== ''")
    token = page.locator("output").inner_text()
    card = stripe.channel.describe_instrument(token)
    assert (card.brand, card.last4, card.country, card.expires_on) == ("visa", "4242", "US", "2040-04")


def test_the_shop_never_sees_the_number(page: Page, shop: str) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.url} {request.post_data or ''}"))
    frame = opened(page, shop)
    frame.locator("#number").focus()
    page.keyboard.type("4000001560000002" + "440" + "123")
    page.get_by_role("button", name="Pay").click()
    page.wait_for_function("document.querySelector('output').textContent !== ''")
    heard = str(page.evaluate("JSON.stringify(heard)")) + page.content()
    assert "4000001560000002" not in heard.replace(" ", "")
    carrying = [one for one in sent if "4000001560000002" in one]
    assert [one.split()[0].endswith("/stripe/v1/payment_methods") for one in carrying] == [True]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("4242424242424241", "Your card number is invalid."),
        ("4242424242424242" + "0120", "Your card's expiration year is in the past."),
        ("4242424242424242" + "1340", "Your card's expiration month is invalid."),
    ],
)
def test_a_mistake_is_told_while_it_is_made(page: Page, shop: str, typed: str, message: str) -> None:
    frame = opened(page, shop)
    frame.locator("#number").focus()
    page.keyboard.type(typed)
    page.wait_for_function("text => document.getElementById('error').textContent === text", arg=message)


def test_an_unfinished_card_gets_no_token(page: Page, shop: str) -> None:
    frame = opened(page, shop + "/?zh")
    frame.locator("#number").focus()
    page.keyboard.type("42424242")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('output').textContent === 'error incomplete_number'")
    assert page.locator("#error").inner_text() == "卡号不完整。"


def test_nobody_types_a_real_card(page: Page, shop: str) -> None:
    frame = opened(page, shop)
    frame.locator("#number").focus()
    page.keyboard.type("4111111111111111" + "440" + "123")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('output').textContent === 'error card_declined'")


def test_separate_fields_make_one_card(page: Page, shop: str, stripe: StripeDriver) -> None:
    opened(page, shop + "/?split", fields=3)
    typed = {"#cardNumber": "5555555555554444", "#cardExpiry": "0440", "#cardCvc": "123"}
    for place, text in typed.items():
        page.frame_locator(f"{place} iframe").locator("input:visible").focus()
        page.keyboard.type(text)
    page.get_by_role("button", name="Pay").click()
    page.wait_for_function("document.querySelector('output').textContent.startsWith('pm_')")
    assert stripe.channel.describe_instrument(page.locator("output").inner_text()).brand == "mastercard"


@pytest.mark.parametrize("width", [320, 1280])
def test_the_field_fits_its_page(page: Page, shop: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 600})
    frame = opened(page, shop)
    frame.locator("#number").focus()
    page.keyboard.type("6200000000000005" + "440" + "123")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = page.locator("iframe").bounding_box()
    cvc = frame.locator("#cvc").bounding_box()
    assert box is not None and cvc is not None
    assert cvc["y"] + cvc["height"] <= box["y"] + box["height"] + 1
    assert cvc["x"] + cvc["width"] <= box["x"] + box["width"] + 1
