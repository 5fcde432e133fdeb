"""Stripe beyond the common contract: declines, 3-D Secure, partial capture, amounts, keys and addresses."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger.money import Money
from payments.channels.contract import (
    ActionKind,
    Advice,
    Answer,
    Challenge,
    InstrumentUnknown,
    Outcome,
    StartRequest,
)
from payments.channels.stripe.amounts import AmountNotRepresentable, from_stripe, to_stripe
from payments.channels.stripe.channel import from_settings
from tests.channels.drivers.stripe import StripeDriver
from tests.channels.world import HTTP, Receiver, Sandbox


@pytest.fixture(scope="module")
def stripe(sandbox: Sandbox, receiver: Receiver) -> StripeDriver:
    return StripeDriver(sandbox, receiver)


def challenged(stripe: StripeDriver, number: str = "4242424242424242") -> tuple[StartRequest, Answer]:
    request = replace(stripe.start_request(instrument=stripe.card(number)), challenge=Challenge.REQUIRED)
    return request, stripe.channel.start(request)


class TestCards:
    @pytest.mark.parametrize(
        ("number", "brand", "country"),
        [
            ("4242424242424242", "visa", "US"),
            ("4000001560000002", "visa", "CN"),
            ("4000003440000004", "visa", "HK"),
            ("5555555555554444", "mastercard", "US"),
            ("6200000000000005", "unionpay", "CN"),
        ],
    )
    def test_a_token_is_described_before_it_is_used(
        self, stripe: StripeDriver, number: str, brand: str, country: str
    ) -> None:
        card = stripe.channel.describe_instrument(stripe.card(number))
        assert (card.brand, card.country, card.last4) == (brand, country, number[-4:])
        assert card.fingerprint and number not in repr(card)

    def test_one_card_has_one_fingerprint(self, stripe: StripeDriver) -> None:
        prints = {stripe.channel.describe_instrument(stripe.instrument()).fingerprint for _ in range(2)}
        assert len(prints) == 1

    @pytest.mark.parametrize("token", ["pm_0123456789abcdef01234567", "", "tok_visa", "../v1/events", "pm_é"])
    def test_an_unknown_token_is_refused(self, stripe: StripeDriver, token: str) -> None:
        with pytest.raises(InstrumentUnknown):
            stripe.channel.describe_instrument(token)

    @pytest.mark.parametrize(
        ("number", "code", "advice"),
        [
            ("4000000000000002", "generic_decline", Advice.OTHER_CARD),
            ("4000000000009995", "insufficient_funds", Advice.OTHER_CARD),
            ("4000000000009987", "lost_card", Advice.OTHER_METHOD),
            ("4000000000000069", "expired_card", Advice.OTHER_CARD),
            ("4000000000000127", "incorrect_cvc", Advice.TRY_AGAIN),
            ("4000000000000119", "processing_error", Advice.TRY_AGAIN),
        ],
    )
    def test_a_decline_says_why_and_what_next(
        self, stripe: StripeDriver, number: str, code: str, advice: Advice
    ) -> None:
        request = stripe.start_request(instrument=stripe.card(number))
        answer = stripe.channel.start(request)
        assert (answer.outcome, answer.code, answer.advice) == (Outcome.DECLINED, code, advice)
        later = stripe.channel.query(stripe.movement(request, answer))
        assert (later.outcome, later.code, later.advice) == (Outcome.DECLINED, code, advice)

    def test_a_used_token_is_not_charged_again(self, stripe: StripeDriver) -> None:
        request, _ = stripe.paid()
        second = stripe.start_request(instrument=request.instrument)
        assert stripe.channel.start(second).outcome is Outcome.ERRORED
        assert stripe.sandbox.payments(second.reference) == []


class TestThreeDSecure:
    def test_passed_it_is_paid_with_the_proof(self, stripe: StripeDriver) -> None:
        request, answer = challenged(stripe)
        assert answer.outcome is Outcome.ACTION_REQUIRED
        assert answer.next_action is not None and answer.next_action.kind is ActionKind.THREE_D_SECURE
        stripe.sandbox.ask("POST", f"/control/challenges/{answer.channel_reference}/pass")
        after = stripe.channel.query(stripe.movement(request, answer))
        assert (after.outcome, after.amount) == (Outcome.SUCCEEDED, request.amount)
        assert after.three_d_secure is not None and after.three_d_secure["result"] == "authenticated"

    def test_failed_it_is_declined_and_nothing_moves(self, stripe: StripeDriver) -> None:
        request, answer = challenged(stripe)
        stripe.sandbox.ask("POST", f"/control/challenges/{answer.channel_reference}/fail")
        after = stripe.channel.query(stripe.movement(request, answer))
        assert (after.outcome, after.code) == (Outcome.DECLINED, "payment_intent_authentication_failure")
        assert after.advice is Advice.OTHER_CARD
        assert stripe.sandbox.payments(request.reference)[0]["captured"] == 0

    def test_the_page_sends_the_customer_back(self, stripe: StripeDriver) -> None:
        request, answer = challenged(stripe)
        assert answer.next_action is not None
        url = answer.next_action.value
        page = HTTP.get(url)
        assert "Complete" in page.text and "完成" in page.text and "x-frame-options" not in page.headers
        back = HTTP.post(url + "/pass")
        assert back.status_code == 303
        assert back.headers["location"].startswith(request.return_url + "?payment_intent=pi_")
        assert HTTP.post(url + "/fail").status_code == 409
        assert stripe.channel.query(stripe.movement(request, answer)).outcome is Outcome.SUCCEEDED

    def test_another_site_can_not_answer_for_the_cardholder(self, stripe: StripeDriver) -> None:
        request, answer = challenged(stripe)
        assert answer.next_action is not None
        forged = HTTP.post(answer.next_action.value + "/pass", headers={"Origin": "http://evil.example"})
        assert forged.status_code == 403
        assert stripe.sandbox.payments(request.reference)[0]["captured"] == 0

    def test_given_up_by_the_provider_it_is_cancelled(self, stripe: StripeDriver) -> None:
        request, answer = challenged(stripe)
        stripe.sandbox.act(request.reference, "expire")
        assert stripe.channel.query(stripe.movement(request, answer)).outcome is Outcome.CANCELLED

    def test_a_card_without_it_pays_without(self, stripe: StripeDriver) -> None:
        _, answer = challenged(stripe, "378282246310005")
        assert (answer.outcome, answer.three_d_secure) == (Outcome.SUCCEEDED, None)

    def test_an_issuer_may_want_it_unasked(self, stripe: StripeDriver) -> None:
        request = stripe.start_request(instrument=stripe.card("4000002760003184"))
        assert stripe.channel.start(request).outcome is Outcome.ACTION_REQUIRED

    def test_a_decline_after_a_passed_challenge(self, stripe: StripeDriver) -> None:
        request = stripe.start_request(instrument=stripe.card("4000008260003178"))
        answer = stripe.channel.start(request)
        stripe.sandbox.act(request.reference, "pay")
        after = stripe.channel.query(stripe.movement(request, answer))
        assert (after.outcome, after.code) == (Outcome.DECLINED, "insufficient_funds")


class TestMovements:
    def test_part_is_captured_and_the_rest_released(self, stripe: StripeDriver) -> None:
        request = stripe.start_request(capture=False)
        held = stripe.channel.start(request)
        movement = replace(stripe.movement(request, held), amount=Money(4_000, "CNY"))
        taken = stripe.channel.capture(movement)
        assert (taken.outcome, taken.amount) == (Outcome.SUCCEEDED, Money(4_000, "CNY"))
        assert stripe.sandbox.payments(request.reference)[0]["captured"] == 4_000
        too_much = replace(movement, key="k", amount=Money(4_001, "CNY"), movement_reference="ref_x")
        assert stripe.channel.refund(too_much).outcome is Outcome.ERRORED

    def test_the_provider_says_until_when_it_holds(self, stripe: StripeDriver) -> None:
        held = stripe.channel.start(stripe.start_request(capture=False))
        assert held.held_until is not None
        assert timedelta(days=6) < held.held_until - datetime.now(UTC) < timedelta(days=8)
        assert stripe.paid()[1].held_until is None

    def test_a_card_that_takes_no_parts_says_so_and_nothing_moves(self, stripe: StripeDriver) -> None:
        request = stripe.start_request(capture=False, instrument=stripe.card("6200000000000005"))
        held = stripe.channel.start(request)
        movement = replace(stripe.movement(request, held), amount=Money(4_000, "CNY"), final=False)
        assert stripe.channel.capture(movement).outcome is Outcome.ERRORED
        assert stripe.channel.query(movement).captured == Money(0, "CNY")
        assert stripe.sandbox.payments(request.reference)[0]["captured"] == 0

    def test_a_hold_that_lapses_after_a_part_keeps_the_part(self, stripe: StripeDriver) -> None:
        request = stripe.start_request(capture=False)
        held = stripe.channel.start(request)
        movement = replace(stripe.movement(request, held), amount=Money(4_000, "CNY"), final=False)
        stripe.channel.capture(movement)
        stripe.sandbox.act(request.reference, "expire")
        after = stripe.channel.query(movement)
        assert (after.outcome, after.captured) == (Outcome.SUCCEEDED, Money(4_000, "CNY"))
        kinds = {one["kind"] for one in stripe.sandbox.deliveries(held.channel_reference)}
        assert {"charge.expired", "payment_intent.succeeded"} <= kinds

    def test_a_repeated_capture_past_the_life_of_its_key_is_not_counted_twice(
        self, stripe: StripeDriver
    ) -> None:
        request = stripe.start_request(capture=False)
        held = stripe.channel.start(request)
        movement = replace(stripe.movement(request, held), amount=request.amount)
        stripe.channel.capture(movement)
        again = stripe.channel.capture(replace(movement, key="another key"))
        assert (again.outcome, again.amount, again.captured) == (
            Outcome.SUCCEEDED,
            request.amount,
            request.amount,
        )
        other = stripe.channel.capture(replace(movement, key="a third", captured_before=10_000))
        assert other.outcome is Outcome.CANCELLED

    def test_more_than_is_held_is_not_captured(self, stripe: StripeDriver) -> None:
        request = stripe.start_request(capture=False)
        held = stripe.channel.start(request)
        movement = replace(stripe.movement(request, held), amount=Money(10_001, "CNY"))
        assert stripe.channel.capture(movement).outcome is Outcome.ERRORED
        assert stripe.channel.query(movement).outcome is Outcome.AUTHORIZED

    def test_other_parameters_under_one_key_decide_nothing(self, stripe: StripeDriver) -> None:
        request, _ = stripe.paid()
        other = replace(request, amount=Money(99, "CNY"))
        assert stripe.channel.start(other).outcome is Outcome.UNKNOWN
        assert [one["amount"] for one in stripe.sandbox.payments(request.reference)] == [10_000]

    def test_past_the_life_of_its_key_a_start_is_looked_up_and_not_sent_again(
        self, stripe: StripeDriver
    ) -> None:
        late = datetime.now(UTC) + timedelta(days=2)
        channel = from_settings({**stripe.settings(), "clock": lambda: late})
        lost = stripe.start_request()
        assert channel.query(stripe.movement(lost)).outcome is Outcome.NOT_FOUND
        assert stripe.sandbox.payments(lost.reference) == []
        request, _ = stripe.paid()
        assert channel.query(stripe.movement(request)).outcome is Outcome.SUCCEEDED

    def test_a_repeated_start_that_is_turned_away_at_the_door_proves_nothing(
        self, stripe: StripeDriver
    ) -> None:
        request, _ = stripe.paid()
        assert stripe.build_with_wrong_key().query(stripe.movement(request)).outcome is Outcome.UNKNOWN

    def test_the_answer_to_another_payment_is_not_ours(self, stripe: StripeDriver) -> None:
        _, other = stripe.paid()
        mine = stripe.start_request()
        assert stripe.channel.query(stripe.movement(mine, other)).outcome is Outcome.UNKNOWN

    def test_what_is_kept_for_the_operator_holds_no_secret(self, stripe: StripeDriver) -> None:
        _, answer = stripe.paid()
        assert "secret" not in repr(answer.raw) and "4242424242424242" not in repr(answer)


class TestAmounts:
    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            (Money(12_345, "CNY"), 12_345),
            (Money(500, "JPY"), 500),
            (Money(500, "UGX"), 50_000),
            (Money(500, "ISK"), 50_000),
            (Money(1_230, "BHD"), 1_230),
        ],
    )
    def test_each_currency_in_stripes_own_units(self, ours: Money, theirs: int) -> None:
        assert to_stripe(ours) == theirs
        assert from_stripe(theirs, ours.currency.lower()) == ours

    def test_nothing_is_rounded(self) -> None:
        with pytest.raises(AmountNotRepresentable):
            to_stripe(Money(1_235, "BHD"))
        with pytest.raises(AmountNotRepresentable):
            from_stripe(50_001, "ugx")


class TestSettings:
    def base(self, **changed: Any) -> dict[str, Any]:
        return {
            "api_base": "https://api.stripe.com",
            "secret_key": "sk_test_x",
            "webhook_secrets": [],
            **changed,
        }

    @pytest.mark.parametrize(
        "address", ["http://api.stripe.com", "ftp://127.0.0.1", "http://127.0.0.1.evil.example"]
    )
    def test_plain_http_is_for_this_machine_only(self, address: str) -> None:
        with pytest.raises(ValueError, match="https"):
            from_settings(self.base(api_base=address))

    def test_a_live_key_never_meets_a_sandbox(self) -> None:
        with pytest.raises(ValueError, match="live"):
            from_settings(self.base(api_base="http://127.0.0.1:9", secret_key="sk_live_x"))
