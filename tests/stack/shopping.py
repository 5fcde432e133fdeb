"""What a customer does, step by step, in the browser."""

from playwright.sync_api import FrameLocator, Page, expect

from tests.stack.copy import Stack

CHINESE_CARD = "4000 0015 6000 0002"
AMERICAN_CARD = "4242 4242 4242 4242"

CHINA = {
    "country": "CN",
    "line1": "1 Wenyi Road",
    "city": "Hangzhou",
    "region": "Zhejiang",
    "postal_code": "310000",
}
AMERICA = {
    "country": "US",
    "line1": "1 Main Street",
    "city": "Seattle",
    "region": "WA",
    "postal_code": "98101",
}


def sign_in(page: Page, stack: Stack, name: str = "demo") -> None:
    page.goto("/sign-in/")
    page.fill("#id_username", name)
    page.fill("#id_password", stack.sign_in_words(name))
    page.locator("main button").click()
    page.wait_for_url(lambda url: "/sign-in/" not in url)


def fill_cart(page: Page, sku: str) -> None:
    page.goto("/")
    with page.expect_response("**/cart/add"):
        page.get_by_test_id(f"add-{sku}").click()
    page.goto("/cart/")
    page.get_by_test_id("go-to-checkout").click()


def fill_delivery(page: Page, address: dict[str, str], email: str = "lin@example.com") -> None:
    page.fill("#id_email", email)
    page.select_option("#id_country", address["country"])
    page.fill("#id_name", "Lin Yue")
    page.fill("#id_phone", "+86 138 0013 8000" if address["country"] == "CN" else "+1 206 555 0100")
    for name in ("line1", "city", "region", "postal_code"):
        page.fill(f"#id_{name}", address[name])


def fill_card(page: Page, number: str) -> None:
    page.get_by_test_id("method-card").click()
    fields: FrameLocator = page.frame_locator("#card-fields iframe")
    fields.locator("[autocomplete=cc-number]").press_sequentially(number)
    fields.locator("[autocomplete=cc-exp]").press_sequentially("1240")
    fields.locator("[autocomplete=cc-csc]").press_sequentially("123")


def order_by_card(page: Page, sku: str, address: dict[str, str], number: str) -> None:
    fill_cart(page, sku)
    fill_delivery(page, address)
    fill_card(page, number)
    page.get_by_test_id("checkout-submit").click()


def order_by_wallet(page: Page, sku: str, method: str) -> None:
    fill_cart(page, sku)
    fill_delivery(page, CHINA)
    page.get_by_test_id(f"method-{method}").click()
    page.get_by_test_id("checkout-submit").click()


def see(page: Page, result: str) -> None:
    expect(page.get_by_test_id(f"result-{result}")).to_be_visible()


def order_of(page: Page) -> str:
    """The order that the address bar names."""
    return next(part for part in page.url.split("/") if part.startswith("ord_"))
