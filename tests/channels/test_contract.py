"""What every channel promises, tried on each against the sandbox over real sockets.

What only some promise is in the other files of this name. `promises` names the capabilities that a test is about: for a
channel that does not declare them all there is no such test. See `promises.py`, and docs/channels.md for the outcome.
"""

import pytest

from payments.channels.contract import Capability, InvalidSignature, NoticeKind, Outcome
from tests.channels.drivers import Driver
from tests.channels.scenes import LOST, captured, payment_notices, refund_request
from tests.channels.world import eventually, free_port


class TestStart:
    def test_a_payment_begins_and_ends_paid_with_its_amount(self, driver: Driver) -> None:
        start, answer = driver.paid()
        assert answer.outcome is Outcome.SUCCEEDED
        assert answer.amount == start.amount
        assert answer.channel_reference
        assert captured(driver, start) == [10_000]

    def test_unpaid_it_waits_for_the_customer(self, driver: Driver) -> None:
        start = driver.waiting_request()
        answer = driver.channel.start(start)
        assert answer.outcome is Outcome.ACTION_REQUIRED
        assert answer.next_action is not None and answer.next_action.value
        assert captured(driver, start) == []
        driver.customer_pays(start)
        assert driver.channel.query(driver.movement(start, answer)).outcome is Outcome.SUCCEEDED
        assert captured(driver, start) == [10_000]

    def test_what_waits_too_long_at_the_provider_is_cancelled(self, driver: Driver) -> None:
        start = driver.waiting_request()
        answer = driver.channel.start(start)
        driver.customer_opens(start)
        driver.time_is_over(start)
        # Not every provider closes by itself what can no longer be paid; asked to, each does.
        assert driver.channel.void(driver.movement(start, answer)).outcome is Outcome.CANCELLED
        assert driver.channel.query(driver.movement(start, answer)).outcome is Outcome.CANCELLED
        assert captured(driver, start) == []

    def test_sent_twice_under_one_key_it_is_one_payment(self, driver: Driver) -> None:
        start = driver.start_request()
        first, second = driver.channel.start(start), driver.channel.start(start)
        assert (first.outcome, first.channel_reference) == (second.outcome, second.channel_reference)
        driver.customer_opens(start)
        assert len(driver.sandbox.payments(start.reference)) == 1

    def test_a_refusal_says_so_and_moves_nothing(self, driver: Driver) -> None:
        start = driver.start_request(instrument=driver.declined_instrument())
        answer = driver.channel.start(start)
        if not driver.paid_at_start:
            driver.customer_declines(start)
            answer = driver.channel.query(driver.movement(start, answer))
        assert answer.outcome in {Outcome.DECLINED, Outcome.CANCELLED, Outcome.ACTION_REQUIRED}
        assert answer.outcome is Outcome.DECLINED or not driver.paid_at_start
        assert captured(driver, start) == []

    @pytest.mark.driven(asks_at_start=True)
    @pytest.mark.parametrize("fault", LOST)
    def test_no_clear_answer_is_unknown_and_asking_again_tells(self, driver: Driver, fault: str) -> None:
        start = driver.start_request()
        driver.sandbox.fault(driver.start_path, fault)
        assert driver.channel.start(start).outcome is Outcome.UNKNOWN
        if not driver.paid_at_start and not fault.endswith("after"):
            driver.channel.start(start)
        if not driver.paid_at_start:
            driver.customer_pays(start)
        answer = driver.channel.query(driver.movement(start))
        assert answer.outcome is Outcome.SUCCEEDED
        assert captured(driver, start) == [10_000]

    @pytest.mark.driven(asks_at_start=True)
    def test_too_slow_an_answer_is_unknown(self, driver: Driver) -> None:
        start = driver.start_request()
        driver.sandbox.fault(driver.start_path, "slow", seconds=1.0)
        assert driver.build(timeout_seconds=0.3).start(start).outcome is Outcome.UNKNOWN

    def test_nobody_at_the_address_is_unknown(self, driver: Driver) -> None:
        channel, start = driver.build(api_base=f"http://127.0.0.1:{free_port()}"), driver.start_request()
        if driver.asks_at_start:
            assert channel.start(start).outcome is Outcome.UNKNOWN
        assert channel.query(driver.movement(start)).outcome is Outcome.UNKNOWN

    def test_plain_http_beyond_this_machine_is_refused(self, driver: Driver) -> None:
        with pytest.raises(ValueError, match="https"):
            driver.build(api_base="http://pay.example.com")

    def test_a_key_that_the_provider_does_not_know_moves_nothing(self, driver: Driver) -> None:
        start = driver.start_request()
        assert driver.turns_away(driver.build_with_wrong_key(), start)
        assert driver.sandbox.payments(start.reference) == []


class TestQuery:
    def test_what_the_provider_never_heard_of_is_not_found(self, driver: Driver) -> None:
        assert driver.channel.query(driver.unheard_of()).outcome is Outcome.NOT_FOUND

    @pytest.mark.parametrize("fault", LOST)
    def test_a_lost_answer_is_unknown(self, driver: Driver, fault: str) -> None:
        start, answer = driver.paid()
        driver.sandbox.fault(f"/{driver.code}", fault)
        assert driver.channel.query(driver.movement(start, answer)).outcome is Outcome.UNKNOWN
        assert driver.channel.query(driver.movement(start, answer)).outcome is Outcome.SUCCEEDED


class TestNotices:
    def test_a_payment_is_told_with_our_reference_and_amount(self, driver: Driver) -> None:
        start, answer = driver.paid()
        arrived = eventually(lambda: payment_notices(driver, start))[0]
        notice = driver.channel.read_notice(arrived.headers, arrived.body)
        assert notice.answer.amount == start.amount
        assert notice.answer.channel_reference == answer.channel_reference

    def test_our_acknowledgement_satisfies_the_provider(self, driver: Driver) -> None:
        start, _ = driver.paid()
        eventually(lambda: payment_notices(driver, start))
        payment = driver.sandbox.payments(start.reference)[0]["id"]
        eventually(lambda: all(one["state"] == "delivered" for one in driver.sandbox.deliveries(payment)))

    def test_a_redelivery_is_the_same_event(self, driver: Driver) -> None:
        start, _ = driver.paid()
        first = eventually(lambda: payment_notices(driver, start))[0]
        event = driver.channel.read_notice(first.headers, first.body).event_id
        payment = driver.sandbox.payments(start.reference)[0]["id"]
        for delivery in driver.sandbox.deliveries(payment):
            driver.sandbox.ask("POST", f"/control/deliveries/{delivery['id']}/resend")
        again = eventually(lambda: payment_notices(driver, start)[1:])
        assert event in {driver.channel.read_notice(one.headers, one.body).event_id for one in again}

    def test_one_altered_byte_is_refused(self, driver: Driver) -> None:
        start, _ = driver.paid()
        arrived = eventually(lambda: payment_notices(driver, start))[0]
        place = arrived.body.index(b"1")
        altered = arrived.body[:place] + b"2" + arrived.body[place + 1 :]
        with pytest.raises(InvalidSignature):
            driver.channel.read_notice(arrived.headers, altered)

    @pytest.mark.promises(Capability.REFUND)
    def test_a_refund_is_told(self, driver: Driver) -> None:
        _, movement = refund_request(driver, 2_500)
        driver.channel.refund(movement)

        def told() -> list[Outcome]:
            notices = [
                driver.channel.read_notice(one.headers, one.body)
                for one in driver.receiver.at(driver.notify_path)
            ]
            return [
                notice.answer.outcome
                for notice in notices
                if notice.kind is NoticeKind.REFUND
                and notice.movement_reference == movement.movement_reference
            ]

        assert Outcome.SUCCEEDED in eventually(told)
