"""A payment goes on elsewhere when its try provably came to nothing, and never when that is only likely."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from django.db import connections

from ledger.errors import Refusal
from ledger.selectors import transactions_of
from payments import routes, selectors
from payments.channels import registry
from payments.channels.alipay.channel import AlipayChannel
from payments.channels.contract import Answer, Challenge, Outcome, StartRequest
from payments.channels.stripe.channel import StripeChannel
from payments.errors import ChannelNotReachable, MethodUnavailable
from payments.models import Attempt, OutboxEvent, Payment
from payments.selectors import PaymentView
from payments.services.start_payment import start_payment
from payments.services.switch_channel import switch_channel
from tests.channels.world import free_port
from tests.payments.conftest import Till
from tests.payments.desk import broken, tell

GATEWAY = "/alipay/gateway.do"
CHALLENGED = "4000000000003220"


@pytest.fixture
def alipay_is_gone(till: Till, settings: Any) -> Iterator[None]:
    """Nobody listens at Alipay's address."""
    settings.ALIPAY = {**settings.ALIPAY, "gateway": f"http://127.0.0.1:{free_port()}/gateway.do"}
    registry.channel.cache_clear()
    yield
    registry.channel.cache_clear()


def tries(payment: PaymentView) -> list[tuple[str, str]]:
    return [(row.channel, row.state) for row in starts(payment)]


def starts(payment: PaymentView) -> list[Attempt]:
    rows = Attempt.objects.filter(payment__reference=payment.reference, kind="START")
    return list(rows.order_by("created_at"))


def refusing(monkeypatch: pytest.MonkeyPatch, outcome: Outcome, code: str) -> None:
    monkeypatch.setattr(AlipayChannel, "start", lambda *_: Answer(outcome, code=code, message="No"))


@pytest.mark.usefixtures("alipay_is_gone")
def test_who_was_not_reached_is_passed_over_and_the_customer_pays_elsewhere(till: Till) -> None:
    payment = till.pay("alipay")

    assert (payment.state, payment.channel, payment.next_action is not None) == (
        "REQUIRES_ACTION",
        "stripe",
        True,
    )
    assert tries(payment) == [("alipay", "ERRORED"), ("stripe", "SENT")]
    first, second = starts(payment)
    assert (first.code, first.first_result, second.first_result) == ("not_reached", "unreachable", "ok")
    assert (second.route["after"], second.route["because"], second.route["hop"]) == (
        first.public_id,
        "not_reached",
        1,
    )
    assert first.key != second.key
    assert not OutboxEvent.objects.filter(name="payment.failed").exists()

    till.customer(payment, "pay")
    paid = till.wait_for(payment, "SUCCEEDED")
    assert [posted.description for posted in transactions_of(paid.reference)] == ["Captured by stripe"]
    assert broken() == []


def test_a_channel_that_refuses_to_serve_us_is_passed_over(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(monkeypatch, Outcome.ERRORED, "ACQ.ACCESS_FORBIDDEN")
    payment = till.pay("alipay")
    assert tries(payment) == [("alipay", "ERRORED"), ("stripe", "SENT")]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.UNKNOWN, "no_answer"),
        (Outcome.UNKNOWN, "ACQ.SYSTEM_ERROR"),
        (Outcome.UNKNOWN, "ACQ.ACCESS_FORBIDDEN"),
        (Outcome.ERRORED, "a_code_that_nobody_listed"),
        (Outcome.ERRORED, "not_supported"),
        (Outcome.DECLINED, "ACQ.BUYER_BALANCE_NOT_ENOUGH"),
    ],
)
def test_nothing_else_makes_a_payment_go_on(
    till: Till, monkeypatch: pytest.MonkeyPatch, outcome: Outcome, code: str
) -> None:
    refusing(monkeypatch, outcome, code)
    payment = till.pay("alipay")
    assert payment.state == ("UNKNOWN" if outcome == Outcome.UNKNOWN else "FAILED")
    assert len(tries(payment)) == 1


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "error_after", "garbage_after"])
def test_what_broke_after_it_was_reached_stays_unknown(till: Till, settings: Any, fault: str) -> None:
    settings.ROOT_URLCONF = "tests.payments.nowhere"
    till.sandbox.fault(GATEWAY, fault, method="POST")
    payment = till.pay("alipay")
    assert (payment.state, tries(payment)) == ("UNKNOWN", [("alipay", "UNKNOWN")])


@pytest.mark.usefixtures("alipay_is_gone")
def test_it_fails_when_nobody_is_left(till: Till) -> None:
    switch_channel(channel="stripe", method="alipay", changes={"on": False}, actor="user:1", reason="test")
    payment = till.pay("alipay")
    assert (payment.state, payment.advice) == ("FAILED", "try_again")
    assert tries(payment) == [("alipay", "ERRORED")]
    assert starts(payment)[0].route["left_out"] == {"stripe": "switched off"}


def test_a_card_goes_to_no_other_channel(till: Till, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.PAYMENT_METHODS = {"card": ["stripe", "alipay"]}
    told = Answer(Outcome.ERRORED, code="api_key_expired")
    monkeypatch.setattr(StripeChannel, "start", lambda *_: told)
    payment = till.pay("card")
    assert tries(payment) == [("stripe", "ERRORED")]


def test_money_that_comes_late_from_the_first_try_goes_back(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(monkeypatch, Outcome.ERRORED, "ACQ.ACCESS_FORBIDDEN")
    payment = till.pay("alipay")
    first, second = starts(payment)
    tell(second, Outcome.SUCCEEDED)
    tell(first, Outcome.SUCCEEDED)

    rows = Payment.objects.filter(reference=payment.reference).order_by("created_at")
    assert [(row.channel, row.state, row.surplus) for row in rows] == [
        ("stripe", "SUCCEEDED", False),
        ("alipay", "SUCCEEDED", True),
    ]
    assert rows[1].amount_refunding == rows[1].amount_captured
    assert broken() == []


def test_two_requests_at_once_make_one_payment_go_on_once(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(2)
    refusing(monkeypatch, Outcome.ERRORED, "ACQ.ACCESS_FORBIDDEN")
    intent = till.intent("alipay")

    def pay(_: int) -> str:
        together.wait()
        try:
            return start_payment(intent=intent).state
        except Refusal as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(pay, range(2)))
    payment = selectors.live_payment(intent.reference)
    assert payment is not None
    assert payment.state == "REQUIRES_ACTION", said
    assert tries(payment) == [("alipay", "ERRORED"), ("stripe", "SENT")]


class TestStepUp:
    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[StartRequest]:
        """The bank declines without a challenge; `Challenge.REQUIRED` goes to the sandbox."""
        asked: list[StartRequest] = []
        real = StripeChannel.start

        def start(channel: StripeChannel, request: StartRequest) -> Answer:
            asked.append(request)
            if request.challenge == Challenge.AUTOMATIC:
                return Answer(Outcome.DECLINED, code="authentication_required", message="Challenge first")
            return real(channel, request)

        monkeypatch.setattr(StripeChannel, "start", start)
        return asked

    def test_a_soft_decline_is_tried_again_with_a_challenge(
        self, till: Till, asked: list[StartRequest]
    ) -> None:
        payment = till.pay("card", instrument=till.card(CHALLENGED))
        assert [one.challenge for one in asked] == [Challenge.AUTOMATIC, Challenge.REQUIRED]
        assert asked[0].instrument == asked[1].instrument
        assert asked[0].key != asked[1].key
        assert tries(payment) == [("stripe", "DECLINED"), ("stripe", "SENT")]
        assert payment.state == "REQUIRES_ACTION"

    def test_but_only_once(self, till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
        told = Answer(Outcome.DECLINED, code="authentication_required")
        monkeypatch.setattr(StripeChannel, "start", lambda *_: told)
        payment = till.pay("card")
        assert (payment.state, payment.failure_code) == ("FAILED", "authentication_required")
        assert tries(payment) == [("stripe", "DECLINED")] * 2


class TestSwitches:
    def test_a_switch_takes_effect_without_a_restart(self, till: Till) -> None:
        assert till.pay("alipay").channel == "alipay"
        switch_channel(channel="alipay", method="", changes={"on": False}, actor="user:1", reason="down")
        assert till.pay("alipay").channel == "stripe"
        switch_channel(channel="stripe", method="alipay", changes={"on": False}, actor="user:1", reason="too")
        with pytest.raises(MethodUnavailable):
            till.pay("alipay")
        assert "alipay" not in selectors.offered_methods()
        assert "card" in selectors.offered_methods()

    def test_another_process_reads_it_within_a_second(
        self, till: Till, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("payments.services.switch_channel.routes.forget", lambda: None)
        assert routes.what_is_set().switches == {}
        switch_channel(channel="alipay", method="", changes={"on": False}, actor="user:1", reason="down")
        assert routes.what_is_set().switches == {}
        monkeypatch.setattr(routes, "SET_SECONDS", -1.0)
        assert not routes.what_is_set().switches["alipay", ""].on

    def test_bounds_and_weights_route(self, till: Till) -> None:
        bounds = {"CNY": {"most": 5_000}}
        switch_channel(
            channel="alipay", method="alipay", changes={"bounds": bounds}, actor="user:1", reason="limit"
        )
        assert till.pay("alipay", fen=5_000).channel == "alipay"
        assert till.pay("alipay", fen=5_001).channel == "stripe"
        switch_channel(channel="alipay", method="", changes={"weight": 0}, actor="user:1", reason="try")
        switch_channel(channel="stripe", method="alipay", changes={"weight": 1}, actor="user:1", reason="try")
        payment = till.pay("alipay", fen=5_000)
        assert payment.channel == "stripe"
        assert starts(payment)[0].route["points"]["stripe"]["share"] == 1000


@pytest.mark.usefixtures("alipay_is_gone")
def test_a_breaker_that_is_open_sends_payments_elsewhere_or_says_so(till: Till, settings: Any) -> None:
    settings.BREAKER = {**settings.BREAKER, "least": 2}
    for _ in range(2):
        till.pay("alipay")
    payment = till.pay("alipay")
    assert tries(payment) == [("stripe", "SENT")]
    assert starts(payment)[0].route["left_out"] == {"alipay": "breaker open"}

    switch_channel(channel="stripe", method="alipay", changes={"on": False}, actor="user:1", reason="test")
    intent = replace(till.intent("alipay"))
    with pytest.raises(ChannelNotReachable):
        start_payment(intent=intent)
    assert not Payment.objects.filter(reference=intent.reference).exists()
