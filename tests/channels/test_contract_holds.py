"""Money that is held: captured whole, in part or in parts, let go, or lapsed; and what was never paid, closed."""

from dataclasses import replace

import pytest

from ledger.money import Money
from payments.channels.contract import Capability, Outcome
from tests.channels.drivers import Driver
from tests.channels.scenes import LOST, captured, held, part, refunded


class TestCaptureAndVoid:
    @pytest.mark.lacks(Capability.MANUAL_CAPTURE)
    def test_where_nothing_is_held_nothing_is_captured(self, driver: Driver) -> None:
        start, answer = driver.paid()
        assert driver.channel.capture(driver.movement(start, answer)).outcome is Outcome.ERRORED
        assert captured(driver, start) == [10_000]

    @pytest.mark.promises(Capability.MANUAL_CAPTURE)
    def test_an_authorisation_is_captured(self, driver: Driver) -> None:
        start, movement = held(driver)
        assert captured(driver, start) == []
        movement = replace(movement, amount=start.amount)
        taken = driver.channel.capture(movement)
        assert (taken.outcome, taken.amount) == (Outcome.SUCCEEDED, start.amount)
        assert driver.channel.capture(movement).outcome is Outcome.SUCCEEDED
        assert captured(driver, start) == [10_000]

    @pytest.mark.promises(Capability.CLOSE)
    def test_what_was_not_paid_is_closed_for_good(self, driver: Driver) -> None:
        start = driver.start_request(capture=False)
        answer = driver.channel.start(start)
        driver.customer_opens(start)
        for _ in range(2):
            assert driver.channel.void(driver.movement(start, answer)).outcome is Outcome.CANCELLED
        assert driver.channel.query(driver.movement(start, answer)).outcome is Outcome.CANCELLED
        assert captured(driver, start) == []

    @pytest.mark.lacks(Capability.CLOSE)
    def test_where_nothing_is_closed_it_ends_by_itself(self, driver: Driver) -> None:
        start = driver.start_request(capture=False)
        answer = driver.channel.start(start)
        driver.customer_opens(start)
        # Until it did, nobody may say so.
        assert driver.channel.void(driver.movement(start, answer)).outcome is Outcome.PENDING
        driver.time_is_over(start)
        for _ in range(2):
            assert driver.channel.void(driver.movement(start, answer)).outcome is Outcome.CANCELLED
        assert driver.channel.query(driver.movement(start, answer)).outcome is Outcome.CANCELLED
        assert captured(driver, start) == []

    @pytest.mark.promises(Capability.MANUAL_CAPTURE, Capability.VOID)
    def test_what_is_held_is_let_go_for_good(self, driver: Driver) -> None:
        start, movement = held(driver)
        for _ in range(2):
            assert driver.channel.void(movement).outcome is Outcome.CANCELLED
        assert driver.channel.query(movement).outcome is Outcome.CANCELLED
        assert captured(driver, start) == []

    def test_what_was_paid_is_never_called_cancelled(self, driver: Driver) -> None:
        start, answer = driver.paid()
        voided = driver.channel.void(driver.movement(start, answer))
        assert voided.outcome not in {Outcome.CANCELLED, Outcome.NOT_FOUND}
        assert captured(driver, start) == [10_000]
        assert refunded(driver, start) == 0


class TestCaptureInParts:
    @pytest.mark.promises(Capability.PARTIAL_CAPTURE)
    def test_less_than_is_held_is_taken_and_the_rest_let_go(self, driver: Driver) -> None:
        start, movement = held(driver)
        taken = driver.channel.capture(part(driver, movement, 4_000, before=0, final=True))
        assert (taken.outcome, taken.amount) == (Outcome.SUCCEEDED, Money(4_000, driver.currency))
        after = driver.channel.query(movement)
        assert (after.outcome, after.amount) == (Outcome.SUCCEEDED, start.amount)
        assert after.captured == Money(4_000, driver.currency)
        assert captured(driver, start) == [4_000]

    @pytest.mark.promises(Capability.MULTI_CAPTURE)
    def test_one_hold_is_captured_several_times(self, driver: Driver) -> None:
        start, movement = held(driver)
        first = part(driver, movement, 4_000, before=0, final=False)
        for _ in range(2):
            taken = driver.channel.capture(first)
            assert (taken.outcome, taken.amount) == (Outcome.SUCCEEDED, Money(4_000, driver.currency))
            assert taken.captured == Money(4_000, driver.currency)
        between = driver.channel.query(movement)
        assert (between.outcome, between.amount) == (Outcome.AUTHORIZED, start.amount)
        assert between.captured == Money(4_000, driver.currency)
        taken = driver.channel.capture(part(driver, movement, 6_000, before=4_000, final=False))
        assert (taken.outcome, taken.amount) == (Outcome.SUCCEEDED, Money(6_000, driver.currency))
        assert taken.captured == start.amount
        after = driver.channel.query(movement)
        assert (after.outcome, after.captured) == (Outcome.SUCCEEDED, start.amount)
        assert captured(driver, start) == [10_000]

    @pytest.mark.promises(Capability.MULTI_CAPTURE)
    def test_the_rest_of_what_was_captured_in_part_is_released(self, driver: Driver) -> None:
        start, movement = held(driver)
        driver.channel.capture(part(driver, movement, 4_000, before=0, final=False))
        released = driver.channel.void(movement)
        assert (released.outcome, released.captured) == (Outcome.SUCCEEDED, Money(4_000, driver.currency))
        after = driver.channel.query(movement)
        assert (after.outcome, after.captured) == (Outcome.SUCCEEDED, Money(4_000, driver.currency))
        late = driver.channel.capture(part(driver, movement, 1_000, before=4_000, final=True))
        assert late.outcome is Outcome.CANCELLED
        assert captured(driver, start) == [4_000]

    @pytest.mark.promises(Capability.MULTI_CAPTURE)
    def test_more_than_is_left_is_refused(self, driver: Driver) -> None:
        start, movement = held(driver)
        driver.channel.capture(part(driver, movement, 4_000, before=0, final=False))
        more = driver.channel.capture(part(driver, movement, 6_001, before=4_000, final=True))
        assert more.outcome is Outcome.ERRORED
        assert driver.channel.query(movement).outcome is Outcome.AUTHORIZED
        assert captured(driver, start) == [4_000]

    @pytest.mark.promises(Capability.MULTI_CAPTURE)
    @pytest.mark.parametrize("fault", LOST)
    def test_a_lost_answer_is_unknown_and_asking_again_is_one_capture(
        self, driver: Driver, fault: str
    ) -> None:
        start, movement = held(driver)
        asked = part(driver, movement, 4_000, before=0, final=False)
        driver.sandbox.fault(driver.start_path, fault)
        assert driver.channel.capture(asked).outcome is Outcome.UNKNOWN
        assert driver.channel.capture(asked).amount == Money(4_000, driver.currency)
        assert captured(driver, start) == [4_000]

    @pytest.mark.promises(Capability.MANUAL_CAPTURE)
    def test_a_hold_that_lapses_is_cancelled(self, driver: Driver) -> None:
        start, movement = held(driver)
        driver.sandbox.act(start.reference, "expire")
        assert driver.channel.query(movement).outcome is Outcome.CANCELLED
        late = driver.channel.capture(part(driver, movement, 10_000, before=0, final=True))
        assert late.outcome is Outcome.CANCELLED
        assert captured(driver, start) == []
