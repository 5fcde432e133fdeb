"""What channels promise beyond the payment itself: pages and bridges by device, statements, refunds that end later."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from payments.channels.contract import (
    ActionKind,
    Capability,
    ChannelUnavailable,
    Outcome,
    StatementNotReady,
    StatementUnavailable,
)
from tests.channels.drivers import Driver
from tests.channels.drivers.unionpay import post_form
from tests.channels.test_contract import LOST, promised, refund_request, refunded
from tests.channels.world import HTTP


class TestDevices:
    """Where the customer sits decides what they get: only what a channel says it can do is tried."""

    def test_a_phone_is_sent_to_a_page(self, driver: Driver) -> None:
        promised(driver, Capability.REDIRECT)
        if driver.paid_at_start:
            return  # a card needs a page for its challenge alone, whatever the device
        start = replace(driver.start_request(), device="phone")
        action = driver.channel.start(start).next_action
        assert action is not None
        if driver.starts_in_browser:
            assert action.kind is ActionKind.FORM and post_form(action.value) == 200
        else:
            assert action.kind is ActionKind.REDIRECT
            assert HTTP.get(action.value, follow_redirects=True).status_code == 200
        driver.customer_pays(start)
        assert driver.channel.query(driver.movement(start)).outcome is Outcome.SUCCEEDED

    def test_the_wallets_own_browser_gets_parameters_for_its_bridge(self, driver: Driver) -> None:
        promised(driver, Capability.IN_APP)
        start = replace(driver.start_request(), device="in_app", payer="payer-1")
        action = driver.channel.start(start).next_action
        assert action is not None and action.kind is ActionKind.IN_APP
        assert all(isinstance(value, str) for value in json.loads(action.value).values())
        driver.customer_pays(start)
        assert driver.channel.query(driver.movement(start)).outcome is Outcome.SUCCEEDED


class TestStatements:
    def test_a_day_that_is_not_over_has_none_yet(self, driver: Driver) -> None:
        promised(driver, Capability.STATEMENT)
        today = datetime.now(UTC).astimezone(timezone(timedelta(hours=8))).date()
        for kind in driver.statements.statement_kinds:
            with pytest.raises(StatementNotReady):
                driver.statements.fetch_statement(kind, today)

    def test_one_that_nobody_writes_is_refused(self, driver: Driver) -> None:
        promised(driver, Capability.STATEMENT)
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        with pytest.raises(StatementUnavailable):
            driver.statements.fetch_statement("dividends", yesterday)

    @pytest.mark.parametrize("fault", LOST)
    def test_without_an_answer_it_is_asked_for_again(self, driver: Driver, fault: str) -> None:
        promised(driver, Capability.STATEMENT)
        driver.sandbox.fault(f"/{driver.code}", fault)
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        with pytest.raises(ChannelUnavailable):
            driver.statements.fetch_statement(driver.statements.statement_kinds[0], yesterday)


class TestLateRefunds:
    def test_one_that_ends_later_is_pending_until_then(self, driver: Driver) -> None:
        promised(driver, Capability.REFUND)
        if not driver.slow_refund:
            return  # where every refund ends at once there is nothing to wait for
        start, movement = refund_request(driver, driver.slow_refund, 100_000)
        assert driver.channel.refund(movement).outcome is Outcome.PENDING
        assert driver.channel.query_refund(movement).outcome in {Outcome.PENDING, Outcome.NOT_FOUND}
        assert driver.channel.refund(movement).outcome is Outcome.PENDING
        driver.refund_ends(movement)
        assert driver.channel.query_refund(movement).outcome is Outcome.SUCCEEDED
        assert refunded(driver, start) == driver.slow_refund
