"""The whole program as a person starts it: `manage.py up`, a real browser, and nothing inside reached directly."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.patience import PAGE_PATIENCE
from tests.ports import four_ports
from tests.stack.copy import Stack

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OUTER_PROXIES = "127.5.0.0/16"  # whose word is taken, beside this machine's own
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# Of this folder and no longer: its beat, relay and worker have something to do all the time.
@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    extra = {"FORWARDED_ALLOW_IPS": f"127.0.0.1,{OUTER_PROXIES}"}
    running = Stack(tmp_path_factory.mktemp("stack") / "data", four_ports(), extra)
    running.start()
    yield running
    running.stop()


# Of a module and no longer: while Playwright runs, its thread counts as an event loop, and Django refuses the database.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        expect.set_options(timeout=PAGE_PATIENCE)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, stack: Stack) -> Iterator[Page]:
    """A fresh person at a desktop, reading English; anything the page logs as an error fails the test."""
    context = chromium.new_context(
        base_url=stack.url, locale="en-GB", viewport={"width": 1280, "height": 900}
    )
    page = context.new_page()
    page.set_default_timeout(PAGE_PATIENCE)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    assert not wrong, wrong
