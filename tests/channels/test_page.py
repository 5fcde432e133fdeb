"""docs/channels.md can not rot: it shows the capabilities that are declared, and the tests that there are for each."""

from pathlib import Path

import pytest
from django.conf import settings

from payments.channels.contract import Capability
from tests.channels import page
from tests.channels.conftest import DRIVERS
from tests.channels.drivers.stripe import StripeDriver
from tests.channels.promises import about, channel_of, collected, declared, fits


@pytest.fixture(scope="module")
def contract(request: pytest.FixtureRequest) -> list[pytest.Item]:
    """Every test of the contract suite, whatever part of the suite runs now."""
    package = request.node.getparent(pytest.Package)
    assert package is not None
    found = [item for item in collected(package) if Path(item.location[0]).match(page.SUITE)]
    return [item for item in found if (code := channel_of(item)) and fits(item, DRIVERS[code])]


@pytest.fixture(scope="module")
def all_passed(contract: list[pytest.Item]) -> page.Tally:
    tally = page.Tally()
    for item in contract:
        tally.add(channel_of(item), about(item), passed=True)
    return tally


REASONS = {code: driver.without for code, driver in DRIVERS.items()}


def test_every_channel_has_a_driver() -> None:
    assert set(DRIVERS) == set(settings.CHANNELS)
    assert {code: driver.code for code, driver in DRIVERS.items()} == {code: code for code in DRIVERS}


@pytest.mark.parametrize("code", sorted(DRIVERS))
def test_what_a_channel_promises_is_tried_and_nothing_else(code: str, all_passed: page.Tally) -> None:
    tried = {row for channel, row in all_passed.collected if channel == code}
    assert tried == {page.EVERY, *declared(code)}


def test_the_page_is_what_the_suite_came_to(all_passed: page.Tally) -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.written(all_passed, REASONS), "run: make channels"


def test_a_failure_shows() -> None:
    tally = page.Tally()
    tally.add("stripe", [Capability.REFUND, Capability.PARTIAL_REFUND], passed=True)
    tally.add("stripe", [Capability.REFUND], passed=False)
    told = page.written(tally, {"stripe": {Capability.QR: "Out of ink."}})
    assert "| ✗ 1 of 2 |" in told and "| ✓ 1 of 1 |" in told and "Out of ink." in told


def test_no_capability_is_left_out() -> None:
    tally = page.Tally()
    tally.add(StripeDriver.code, [], passed=True)
    told = page.written(tally, {})
    assert all(f"`{capability}`" in told for capability in Capability)
