"""How the customer gets to the provider, by what they hold in their hands; and the provider's statements."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from payments.channels.contract import (
    ActionKind,
    Capability,
    Challenge,
    ChannelUnavailable,
    Outcome,
    StatementNotReady,
    StatementUnavailable,
)
from tests.channels.drivers import Driver
from tests.channels.drivers.unionpay import post_form
from tests.channels.scenes import LOST, captured
from tests.channels.world import HTTP


class TestDevices:
    """Where the customer sits decides what they get: only what a channel says it can do is tried."""

    @pytest.mark.promises(Capability.QR)
    def test_a_desktop_shows_a_code_to_scan(self, driver: Driver) -> None:
        start = driver.code_request()
        answer = driver.channel.start(start)
        assert answer.outcome is Outcome.ACTION_REQUIRED and answer.next_action is not None
        assert answer.next_action.kind is ActionKind.QR and answer.next_action.value
        assert answer.next_action.expires_at == start.expires_at
        driver.customer_pays(start)
        assert driver.channel.query(driver.movement(start, answer)).outcome is Outcome.SUCCEEDED

    @pytest.mark.promises(Capability.REDIRECT)
    def test_a_phone_is_sent_to_a_page(self, driver: Driver) -> None:
        start = driver.page_request()
        answer = driver.channel.start(start)
        action = answer.next_action
        assert action is not None
        if driver.starts_in_browser:
            assert action.kind is ActionKind.FORM and post_form(action.value) == 200
        else:
            assert action.kind is ActionKind.REDIRECT
            assert HTTP.get(action.value, follow_redirects=True).status_code == 200
        driver.customer_pays(start)
        assert driver.channel.query(driver.movement(start, answer)).outcome is Outcome.SUCCEEDED

    @pytest.mark.promises(Capability.TRANSFER)
    def test_who_pays_by_bank_is_told_where_to_and_under_which_words(self, driver: Driver) -> None:
        start = driver.start_request()
        action = driver.channel.start(start).next_action
        assert action is not None and action.kind is ActionKind.TRANSFER
        assert all(value for value in json.loads(action.value).values())
        again = driver.channel.start(start).next_action
        assert again is not None and again.value == action.value
        driver.customer_pays(start)
        assert driver.channel.query(driver.movement(start)).outcome is Outcome.SUCCEEDED

    @pytest.mark.promises(Capability.IN_APP)
    def test_the_wallets_own_browser_gets_parameters_for_its_bridge(self, driver: Driver) -> None:
        start = replace(driver.start_request(), device="in_app", payer="payer-1")
        action = driver.channel.start(start).next_action
        assert action is not None and action.kind is ActionKind.IN_APP
        assert all(isinstance(value, str) for value in json.loads(action.value).values())
        driver.customer_pays(start)
        assert driver.channel.query(driver.movement(start)).outcome is Outcome.SUCCEEDED


class TestThreeDSecure:
    @pytest.mark.promises(Capability.THREE_D_SECURE)
    def test_passed_it_is_paid_and_the_proof_is_kept(self, driver: Driver) -> None:
        start = replace(driver.start_request(), challenge=Challenge.REQUIRED)
        answer = driver.channel.start(start)
        assert answer.outcome is Outcome.ACTION_REQUIRED and answer.next_action is not None
        assert answer.next_action.kind is ActionKind.THREE_D_SECURE
        driver.customer_pays(start)
        after = driver.channel.query(driver.movement(start, answer))
        assert after.outcome is Outcome.SUCCEEDED and after.three_d_secure

    @pytest.mark.promises(Capability.THREE_D_SECURE)
    def test_failed_it_is_declined_and_moves_nothing(self, driver: Driver) -> None:
        start = replace(driver.start_request(), challenge=Challenge.REQUIRED)
        answer = driver.channel.start(start)
        driver.customer_declines(start)
        after = driver.channel.query(driver.movement(start, answer))
        assert after.outcome is Outcome.DECLINED
        assert captured(driver, start) == []


@pytest.mark.promises(Capability.STATEMENT)
class TestStatements:
    def test_a_day_that_is_not_over_has_none_yet(self, driver: Driver) -> None:
        today = datetime.now(UTC).astimezone(timezone(timedelta(hours=8))).date()
        for kind in driver.statements.statement_kinds:
            with pytest.raises(StatementNotReady):
                driver.statements.fetch_statement(kind, today)

    def test_one_that_nobody_writes_is_refused(self, driver: Driver) -> None:
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        with pytest.raises(StatementUnavailable):
            driver.statements.fetch_statement("dividends", yesterday)

    @pytest.mark.parametrize("fault", LOST)
    def test_without_an_answer_it_is_asked_for_again(self, driver: Driver, fault: str) -> None:
        driver.sandbox.fault(f"/{driver.code}", fault)
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        with pytest.raises(ChannelUnavailable):
            driver.statements.fetch_statement(driver.statements.statement_kinds[0], yesterday)
