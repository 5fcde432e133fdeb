"""Money that goes back: once, never more than came, now or later."""

from dataclasses import replace
from typing import cast

import pytest

from ledger.identifiers import encode, new_key
from payments.channels.contract import AbnormalRefundDesk, Capability, Outcome
from tests.channels.drivers import Driver
from tests.channels.scenes import LOST, refund_request, refunded, settled_refund


@pytest.mark.promises(Capability.REFUND)
class TestRefund:
    @pytest.mark.promises(Capability.PARTIAL_REFUND)
    def test_part_goes_back_once_however_often_it_is_asked(self, driver: Driver) -> None:
        start, movement = refund_request(driver, 2_500)
        for _ in range(2):
            assert driver.channel.refund(movement).outcome in {Outcome.SUCCEEDED, Outcome.PENDING}
        assert settled_refund(driver, movement) is Outcome.SUCCEEDED
        assert refunded(driver, start) == 2_500
        assert driver.channel.query_refund(movement).amount == movement.amount

    def test_more_than_was_paid_is_refused(self, driver: Driver) -> None:
        start, movement = refund_request(driver, 10_001)
        assert driver.channel.refund(movement).outcome in {Outcome.ERRORED, Outcome.DECLINED}
        assert refunded(driver, start) == 0

    @pytest.mark.promises(Capability.PARTIAL_REFUND)
    def test_two_refunds_do_not_exceed_the_payment(self, driver: Driver) -> None:
        start, movement = refund_request(driver, 6_000)
        assert driver.channel.refund(movement).outcome in {Outcome.SUCCEEDED, Outcome.PENDING}
        second = replace(movement, key=movement.key + "2", movement_reference=encode("ref", new_key()))
        assert driver.channel.refund(second).outcome in {Outcome.ERRORED, Outcome.DECLINED}
        assert refunded(driver, start) == 6_000

    def test_a_refund_that_was_never_asked_is_not_found(self, driver: Driver) -> None:
        _, movement = refund_request(driver, 2_500)
        assert driver.channel.query_refund(movement).outcome is Outcome.NOT_FOUND

    @pytest.mark.parametrize("fault", LOST)
    def test_a_lost_answer_is_unknown_and_asking_again_is_one_refund(
        self, driver: Driver, fault: str
    ) -> None:
        start, movement = refund_request(driver, 2_500)
        driver.sandbox.fault(driver.refund_path, fault)
        assert driver.channel.refund(movement).outcome is Outcome.UNKNOWN
        assert driver.channel.refund(movement).outcome in {Outcome.SUCCEEDED, Outcome.PENDING}
        assert settled_refund(driver, movement) is Outcome.SUCCEEDED
        assert refunded(driver, start) == 2_500

    @pytest.mark.driven(slow_refund=True)
    def test_one_that_ends_later_is_pending_until_then(self, driver: Driver) -> None:
        start, movement = refund_request(driver, driver.slow_refund, 100_000)
        assert driver.channel.refund(movement).outcome is Outcome.PENDING
        assert driver.channel.query_refund(movement).outcome in {Outcome.PENDING, Outcome.NOT_FOUND}
        assert driver.channel.refund(movement).outcome is Outcome.PENDING
        driver.refund_ends(movement)
        assert driver.channel.query_refund(movement).outcome is Outcome.SUCCEEDED
        assert refunded(driver, start) == driver.slow_refund


@pytest.mark.promises(Capability.ABNORMAL_REFUND)
class TestAbnormalRefunds:
    def test_what_the_customers_bank_does_not_take_waits_for_a_person_and_is_finished_once(
        self, driver: Driver
    ) -> None:
        start, movement = refund_request(driver, driver.abnormal_refund, 100_000)
        assert driver.channel.refund(movement).outcome is Outcome.PENDING
        waiting = driver.channel.query_refund(movement)
        assert (waiting.outcome, waiting.code) == (Outcome.PENDING, "ABNORMAL")
        desk = cast(AbnormalRefundDesk, driver.channel)
        for _ in range(2):
            assert desk.finish_abnormal_refund(movement).outcome in {Outcome.PENDING, Outcome.SUCCEEDED}
        assert settled_refund(driver, movement) is Outcome.SUCCEEDED
        assert refunded(driver, start) == driver.abnormal_refund
