"""What every channel promises, tried on each against the sandbox over real sockets."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import pytest

from ledger.identifiers import new_key
from ledger.money import Money
from payments.channels.contract import (
    Answer,
    Capability,
    ChannelUnavailable,
    DisputeDesk,
    DisputeNews,
    DisputeNewsState,
    EvidenceRefused,
    EvidenceRequest,
    InstrumentVault,
    InvalidSignature,
    MovementRequest,
    NoticeKind,
    Outcome,
    StartRequest,
)
from tests.channels.drivers import Driver
from tests.channels.world import Arrived, eventually, free_port

PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
LOST = ["drop_before", "drop_after", "error_before", "error_after", "garbage_after"]


def captured(driver: Driver, start: StartRequest) -> list[int]:
    return [
        payment["captured"] for payment in driver.sandbox.payments(start.reference) if payment["captured"]
    ]


def refunded(driver: Driver, start: StartRequest) -> int:
    return sum(payment["refunded"] for payment in driver.sandbox.payments(start.reference))


def payment_notices(driver: Driver, start: StartRequest) -> list[Arrived]:
    """The verified notices that speak of this payment's success."""
    found = []
    for arrived in driver.receiver.at(driver.notify_path):
        notice = driver.channel.read_notice(arrived.headers, arrived.body)
        paid = notice.kind is NoticeKind.PAYMENT and notice.answer.outcome is Outcome.SUCCEEDED
        if paid and driver.tells_of(notice, start):
            found.append(arrived)
    return found


def refund_request(driver: Driver, amount: int, total: int = 10_000) -> tuple[StartRequest, MovementRequest]:
    start, answer = driver.paid(total)
    movement = replace(
        driver.movement(start, answer),
        key=f"{start.reference}:refund",
        amount=Money(amount, driver.currency),
        movement_reference=start.reference.replace("att_", "ref_"),
        reason="requested_by_customer",
    )
    return start, movement


def settled_refund(driver: Driver, movement: MovementRequest) -> Outcome:
    """The refund's outcome once the channel knows it."""

    def known() -> list[Outcome]:
        outcome = driver.channel.query_refund(movement).outcome
        return [] if outcome is Outcome.PENDING else [outcome]

    return eventually(known)[0]


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

    @pytest.mark.parametrize("fault", LOST)
    def test_no_clear_answer_is_unknown_and_asking_again_tells(self, driver: Driver, fault: str) -> None:
        if not driver.asks_at_start:
            pytest.skip("start asks nobody")
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

    def test_too_slow_an_answer_is_unknown(self, driver: Driver) -> None:
        if not driver.asks_at_start:
            pytest.skip("start asks nobody")
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


class TestCaptureAndVoid:
    def test_an_authorisation_is_captured(self, driver: Driver) -> None:
        if Capability.MANUAL_CAPTURE not in driver.channel.capabilities:
            start, answer = driver.paid()
            assert driver.channel.capture(driver.movement(start, answer)).outcome is Outcome.ERRORED
            assert captured(driver, start) == [10_000]
            return
        start = driver.start_request(capture=False)
        held = driver.channel.start(start)
        if not driver.paid_at_start:
            driver.customer_pays(start)
            held = driver.channel.query(driver.movement(start, held))
        assert (held.outcome, held.amount) == (Outcome.AUTHORIZED, start.amount)
        assert captured(driver, start) == []
        movement = replace(driver.movement(start, held), amount=start.amount)
        taken = driver.channel.capture(movement)
        assert (taken.outcome, taken.amount) == (Outcome.SUCCEEDED, start.amount)
        assert driver.channel.capture(movement).outcome is Outcome.SUCCEEDED
        assert captured(driver, start) == [10_000]

    def test_what_was_not_paid_is_closed_for_good(self, driver: Driver) -> None:
        start = driver.start_request(capture=False)
        answer = driver.channel.start(start)
        driver.customer_opens(start)
        if Capability.CLOSE not in driver.channel.capabilities:
            # It ends by itself, and until then nobody may say that it did.
            assert driver.channel.void(driver.movement(start, answer)).outcome is Outcome.PENDING
            driver.time_is_over(start)
        assert driver.channel.void(driver.movement(start, answer)).outcome is Outcome.CANCELLED
        assert driver.channel.query(driver.movement(start, answer)).outcome is Outcome.CANCELLED
        assert captured(driver, start) == []

    def test_what_is_held_is_let_go_for_good(self, driver: Driver) -> None:
        if Capability.MANUAL_CAPTURE not in driver.channel.capabilities:
            pytest.skip("holds nothing")
        start = driver.start_request(capture=False)
        answer = driver.channel.start(start)
        if not driver.paid_at_start:
            driver.customer_pays(start)
        for _ in range(2):
            assert driver.channel.void(driver.movement(start, answer)).outcome is Outcome.CANCELLED
        assert driver.channel.query(driver.movement(start, answer)).outcome is Outcome.CANCELLED
        assert captured(driver, start) == []

    def test_closing_twice_is_closed(self, driver: Driver) -> None:
        start = driver.start_request(capture=False)
        answer = driver.channel.start(start)
        driver.customer_opens(start)
        if Capability.CLOSE not in driver.channel.capabilities:
            driver.time_is_over(start)
        outcomes = [driver.channel.void(driver.movement(start, answer)).outcome for _ in range(2)]
        assert outcomes == [Outcome.CANCELLED, Outcome.CANCELLED]

    def test_what_was_paid_is_never_called_cancelled(self, driver: Driver) -> None:
        start, answer = driver.paid()
        voided = driver.channel.void(driver.movement(start, answer))
        assert voided.outcome not in {Outcome.CANCELLED, Outcome.NOT_FOUND}
        assert captured(driver, start) == [10_000]
        assert refunded(driver, start) == 0


def promised(driver: Driver, capability: Capability) -> None:
    """Skip for a channel that does not promise this."""
    if capability not in driver.channel.capabilities:
        pytest.skip(f"{driver.code} has no {capability}")


def held(driver: Driver) -> tuple[StartRequest, MovementRequest]:
    """A payment whose money is held, and the question about it."""
    start = driver.start_request(capture=False)
    answer = driver.channel.start(start)
    if not driver.paid_at_start:
        driver.customer_pays(start)
        answer = driver.channel.query(driver.movement(start, answer))
    assert (answer.outcome, answer.amount) == (Outcome.AUTHORIZED, start.amount)
    return start, driver.movement(start, answer)


def part(
    driver: Driver, movement: MovementRequest, minor: int, *, before: int, final: bool
) -> MovementRequest:
    return replace(
        movement,
        key=f"{movement.reference}:capture:{before}",
        amount=Money(minor, driver.currency),
        captured_before=before,
        final=final,
    )


class TestCaptureInParts:
    def test_less_than_is_held_is_taken_and_the_rest_let_go(self, driver: Driver) -> None:
        promised(driver, Capability.PARTIAL_CAPTURE)
        start, movement = held(driver)
        taken = driver.channel.capture(part(driver, movement, 4_000, before=0, final=True))
        assert (taken.outcome, taken.amount) == (Outcome.SUCCEEDED, Money(4_000, driver.currency))
        after = driver.channel.query(movement)
        assert (after.outcome, after.amount) == (Outcome.SUCCEEDED, start.amount)
        assert after.captured == Money(4_000, driver.currency)
        assert captured(driver, start) == [4_000]

    def test_one_hold_is_captured_several_times(self, driver: Driver) -> None:
        promised(driver, Capability.MULTI_CAPTURE)
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

    def test_the_rest_of_what_was_captured_in_part_is_released(self, driver: Driver) -> None:
        promised(driver, Capability.MULTI_CAPTURE)
        start, movement = held(driver)
        driver.channel.capture(part(driver, movement, 4_000, before=0, final=False))
        released = driver.channel.void(movement)
        assert (released.outcome, released.captured) == (Outcome.SUCCEEDED, Money(4_000, driver.currency))
        after = driver.channel.query(movement)
        assert (after.outcome, after.captured) == (Outcome.SUCCEEDED, Money(4_000, driver.currency))
        late = driver.channel.capture(part(driver, movement, 1_000, before=4_000, final=True))
        assert late.outcome is Outcome.CANCELLED
        assert captured(driver, start) == [4_000]

    def test_more_than_is_left_is_refused(self, driver: Driver) -> None:
        promised(driver, Capability.MULTI_CAPTURE)
        start, movement = held(driver)
        driver.channel.capture(part(driver, movement, 4_000, before=0, final=False))
        more = driver.channel.capture(part(driver, movement, 6_001, before=4_000, final=True))
        assert more.outcome is Outcome.ERRORED
        assert driver.channel.query(movement).outcome is Outcome.AUTHORIZED
        assert captured(driver, start) == [4_000]

    @pytest.mark.parametrize("fault", LOST)
    def test_a_lost_answer_is_unknown_and_asking_again_is_one_capture(
        self, driver: Driver, fault: str
    ) -> None:
        promised(driver, Capability.MULTI_CAPTURE)
        start, movement = held(driver)
        asked = part(driver, movement, 4_000, before=0, final=False)
        driver.sandbox.fault(driver.start_path, fault)
        assert driver.channel.capture(asked).outcome is Outcome.UNKNOWN
        assert driver.channel.capture(asked).amount == Money(4_000, driver.currency)
        assert captured(driver, start) == [4_000]

    def test_a_hold_that_lapses_is_cancelled(self, driver: Driver) -> None:
        promised(driver, Capability.MANUAL_CAPTURE)
        start, movement = held(driver)
        driver.sandbox.act(start.reference, "expire")
        assert driver.channel.query(movement).outcome is Outcome.CANCELLED
        late = driver.channel.capture(part(driver, movement, 10_000, before=0, final=True))
        assert late.outcome is Outcome.CANCELLED
        assert captured(driver, start) == []


class TestRefund:
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

    def test_two_refunds_do_not_exceed_the_payment(self, driver: Driver) -> None:
        start, movement = refund_request(driver, 6_000)
        assert driver.channel.refund(movement).outcome in {Outcome.SUCCEEDED, Outcome.PENDING}
        second = replace(
            movement, key=movement.key + "2", movement_reference=movement.movement_reference[:-1] + "x"
        )
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


def vault(driver: Driver) -> InstrumentVault:
    promised(driver, Capability.SAVED_INSTRUMENT)
    return cast(InstrumentVault, driver.channel)


def kept(driver: Driver) -> tuple[str, str]:
    """A customer's token and the token of a card that they had kept while paying."""
    customer = vault(driver).open_customer(key=f"customer:{new_key()}", reference="cus_ours")
    start = replace(driver.start_request(), customer=customer, keep_instrument=True)
    answer = driver.channel.start(start)
    assert answer.outcome is Outcome.SUCCEEDED and answer.instrument is not None
    return customer, answer.instrument.token


class TestSavedInstruments:
    def test_a_customer_is_opened_once(self, driver: Driver) -> None:
        key = f"customer:{new_key()}"
        tokens = {vault(driver).open_customer(key=key, reference="cus_ours") for _ in range(2)}
        assert len(tokens) == 1
        driver.sandbox.fault(f"/{driver.code}", "drop_after")
        with pytest.raises(ChannelUnavailable):
            vault(driver).open_customer(key=f"{key}:2", reference="cus_ours")

    def test_what_was_kept_pays_again(self, driver: Driver) -> None:
        customer, token = kept(driver)
        assert driver.channel.describe_instrument(token).last4
        for _ in range(2):
            start = replace(driver.start_request(instrument=token), customer=customer)
            assert driver.channel.start(start).outcome is Outcome.SUCCEEDED
            assert captured(driver, start) == [10_000]

    def test_what_was_not_kept_pays_once(self, driver: Driver) -> None:
        customer = vault(driver).open_customer(key=f"customer:{new_key()}", reference="cus_ours")
        start = replace(driver.start_request(), customer=customer)
        assert driver.channel.start(start).outcome is Outcome.SUCCEEDED
        again = replace(driver.start_request(instrument=start.instrument), customer=customer)
        assert driver.channel.start(again).outcome is Outcome.ERRORED
        assert captured(driver, again) == []

    def test_it_pays_for_nobody_else(self, driver: Driver) -> None:
        _, token = kept(driver)
        other = vault(driver).open_customer(key=f"customer:{new_key()}", reference="cus_other")
        for customer in (other, ""):
            start = replace(driver.start_request(instrument=token), customer=customer)
            assert driver.channel.start(start).outcome is Outcome.ERRORED
            assert captured(driver, start) == []

    def test_forgotten_it_pays_nothing(self, driver: Driver) -> None:
        customer, token = kept(driver)
        driver.sandbox.fault(f"/{driver.code}", "drop_before")
        with pytest.raises(ChannelUnavailable):
            vault(driver).forget_instrument(token)
        for _ in range(2):
            vault(driver).forget_instrument(token)
        start = replace(driver.start_request(instrument=token), customer=customer)
        assert driver.channel.start(start).outcome is Outcome.ERRORED
        assert captured(driver, start) == []


def dispute_news(driver: Driver, start: StartRequest, answer: Answer) -> list[DisputeNews]:
    """What the notices told of this payment's dispute, in the order of their arrival."""
    read = [
        driver.channel.read_notice(one.headers, one.body) for one in driver.receiver.at(driver.notify_path)
    ]
    return [
        notice.dispute
        for notice in read
        if notice.dispute is not None
        and (
            notice.reference == start.reference or notice.answer.channel_reference == answer.channel_reference
        )
    ]


def desk(driver: Driver) -> DisputeDesk:
    promised(driver, Capability.DISPUTE)
    return cast(DisputeDesk, driver.channel)


class TestDisputes:
    def test_it_is_told_with_its_payment_its_sum_and_what_was_withdrawn(self, driver: Driver) -> None:
        desk(driver)
        start, answer = driver.disputed()
        news = eventually(lambda: [one for one in dispute_news(driver, start, answer) if one.withdrawn])[0]
        assert (news.state, news.amount) == (DisputeNewsState.NEEDS_RESPONSE, start.amount)
        assert news.withdrawn == start.amount and news.fee is not None and news.fee.minor >= 0
        assert news.due_by is not None and news.due_by > datetime.now(UTC)
        assert news.reason == "fraudulent" and not news.submitted

    def test_an_answer_with_a_file_is_final(self, driver: Driver) -> None:
        office = desk(driver)
        start, answer = driver.disputed()
        reference = eventually(lambda: dispute_news(driver, start, answer))[0].reference
        paper = office.upload_evidence(
            key=f"{reference}:receipt", name="receipt.pdf", content_type="application/pdf", content=PDF
        )
        request = EvidenceRequest(
            key=f"{reference}:evidence",
            dispute=reference,
            texts={
                "customer_name": "Li Lei",
                "shipping_tracking": "SF1234567890",
                "shipped_on": "2026-11-20",
            },
            files={"receipt": paper},
        )
        first, again = office.submit_evidence(request), office.submit_evidence(request)
        assert first.state is again.state is DisputeNewsState.UNDER_REVIEW and first.submitted
        with pytest.raises(EvidenceRefused):
            office.submit_evidence(replace(request, key="another", texts={"customer_name": "Han Meimei"}))
        driver.judge(reference, "win")
        won = office.query_dispute(reference)
        assert (won.state, won.withdrawn) == (DisputeNewsState.WON, Money(0, driver.currency))
        closed = eventually(
            lambda: [one for one in dispute_news(driver, start, answer) if one.state is DisputeNewsState.WON]
        )
        assert closed[0].withdrawn == Money(0, driver.currency)

    def test_given_up_it_is_lost_and_the_money_is_gone(self, driver: Driver) -> None:
        office = desk(driver)
        start, answer = driver.disputed()
        reference = eventually(lambda: dispute_news(driver, start, answer))[0].reference
        for _ in range(2):
            news = office.accept_dispute(key=f"{reference}:accept", reference=reference)
            assert (news.state, news.withdrawn) == (DisputeNewsState.LOST, start.amount)

    def test_unanswered_in_time_it_is_lost(self, driver: Driver) -> None:
        office = desk(driver)
        start, answer = driver.disputed()
        reference = eventually(lambda: dispute_news(driver, start, answer))[0].reference
        driver.judge(reference, "expire")
        assert office.query_dispute(reference).state is DisputeNewsState.LOST

    def test_an_inquiry_takes_no_money_until_it_becomes_a_dispute(self, driver: Driver) -> None:
        office = desk(driver)
        start, answer = driver.disputed(inquiry=True)
        reference = eventually(lambda: dispute_news(driver, start, answer))[0].reference
        asked = office.query_dispute(reference)
        assert (asked.state, asked.withdrawn) == (DisputeNewsState.WARNING, None)
        driver.judge(reference, "escalate")
        risen = office.query_dispute(reference)
        assert (risen.state, risen.withdrawn) == (DisputeNewsState.NEEDS_RESPONSE, start.amount)

    @pytest.mark.parametrize("content", [b"", b"MZ not a document", b"%PDF-" + b"0" * (5 * 1024 * 1024)])
    def test_a_file_that_no_bank_takes_is_refused(self, driver: Driver, content: bytes) -> None:
        with pytest.raises(EvidenceRefused):
            desk(driver).upload_evidence(
                key=f"paper:{len(content)}", name="paper.pdf", content_type="application/pdf", content=content
            )

    def test_no_clear_answer_is_raised_as_such(self, driver: Driver) -> None:
        office = desk(driver)
        start, answer = driver.disputed()
        reference = eventually(lambda: dispute_news(driver, start, answer))[0].reference
        request = EvidenceRequest(
            key=f"{reference}:e", dispute=reference, texts={"other_text": "It was paid."}
        )
        driver.sandbox.fault(f"/{driver.code}", "drop_after")
        with pytest.raises(ChannelUnavailable):
            office.submit_evidence(request)
        assert office.submit_evidence(request).submitted
        with pytest.raises(ChannelUnavailable):
            office.query_dispute("dp_0123456789abcdef01234567")

    def test_what_the_bank_took_back_is_not_refunded_too(self, driver: Driver) -> None:
        desk(driver)
        start, answer = driver.disputed()
        movement = replace(
            driver.movement(start, answer),
            key=f"{start.reference}:refund",
            amount=start.amount,
            movement_reference=start.reference.replace("att_", "ref_"),
        )
        assert driver.channel.refund(movement).outcome is Outcome.ERRORED
        assert refunded(driver, start) == 0


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
