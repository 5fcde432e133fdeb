"""Stripe's refunds that wait, that come back later, and that a dispute or an empty balance stands in the way of."""

from dataclasses import replace

import pytest

from ledger.money import Money
from payments.channels.contract import Answer, MovementRequest, NoticeKind, Outcome, StartRequest
from tests.channels.drivers.stripe import StripeDriver
from tests.channels.world import Receiver, Sandbox, eventually


@pytest.fixture(scope="module")
def stripe(sandbox: Sandbox, receiver: Receiver) -> StripeDriver:
    return StripeDriver(sandbox, receiver)


def refundable(stripe: StripeDriver, number: str) -> tuple[StartRequest, MovementRequest]:
    request = stripe.start_request(instrument=stripe.card(number))
    answer = stripe.channel.start(request)
    movement = replace(
        stripe.movement(request, answer),
        key=f"{request.reference}:refund",
        amount=Money(2_500, "CNY"),
        movement_reference=request.reference.replace("att_", "ref_"),
    )
    return request, movement


def told(stripe: StripeDriver, movement: MovementRequest) -> list[Answer]:
    read = [
        stripe.channel.read_notice(one.headers, one.body) for one in stripe.receiver.at(stripe.notify_path)
    ]
    return [
        notice.answer
        for notice in read
        if notice.kind is NoticeKind.REFUND and notice.movement_reference == movement.movement_reference
    ]


def given_back(stripe: StripeDriver, request: StartRequest) -> int:
    return int(stripe.sandbox.payments(request.reference)[0]["refunded"])


def test_one_that_waits_succeeds_later(stripe: StripeDriver) -> None:
    request, movement = refundable(stripe, "4000000000007726")
    waiting = stripe.channel.refund(movement)
    assert (waiting.outcome, given_back(stripe, request)) == (Outcome.PENDING, 0)
    stripe.sandbox.ask("POST", f"/control/refunds/{waiting.channel_reference}/succeed")
    assert stripe.channel.query_refund(movement).outcome is Outcome.SUCCEEDED
    assert given_back(stripe, request) == 2_500
    eventually(lambda: any(one.outcome is Outcome.SUCCEEDED for one in told(stripe, movement)))


def test_one_that_waited_may_fail(stripe: StripeDriver) -> None:
    request, movement = refundable(stripe, "4000000000007726")
    waiting = stripe.channel.refund(movement)
    stripe.sandbox.ask("POST", f"/control/refunds/{waiting.channel_reference}/fail", {"reason": "declined"})
    after = stripe.channel.query_refund(movement)
    assert (after.outcome, after.code) == (Outcome.DECLINED, "declined")
    assert given_back(stripe, request) == 0


def test_one_that_succeeded_may_come_back(stripe: StripeDriver) -> None:
    request, movement = refundable(stripe, "4242424242424242")
    done = stripe.channel.refund(movement)
    assert (done.outcome, given_back(stripe, request)) == (Outcome.SUCCEEDED, 2_500)
    stripe.sandbox.ask("POST", f"/control/refunds/{done.channel_reference}/fail")
    after = stripe.channel.query_refund(movement)
    assert (after.outcome, after.code) == (Outcome.DECLINED, "expired_or_canceled_card")
    assert given_back(stripe, request) == 0
    eventually(lambda: any(one.code == "expired_or_canceled_card" for one in told(stripe, movement)))
    # what came back can be returned in another way, and no more than that
    whole = replace(
        movement,
        key="again",
        amount=request.amount,
        movement_reference=movement.movement_reference[:-1] + "x",
    )
    assert stripe.channel.refund(whole).outcome is Outcome.SUCCEEDED


def test_of_a_card_that_refuses_money_it_comes_back_by_itself(stripe: StripeDriver) -> None:
    request, movement = refundable(stripe, "4000000000005126")
    assert stripe.channel.refund(movement).outcome is Outcome.SUCCEEDED
    eventually(lambda: stripe.channel.query_refund(movement).outcome is Outcome.DECLINED)
    assert given_back(stripe, request) == 0


def test_what_is_in_dispute_is_not_refunded(stripe: StripeDriver) -> None:
    request, movement = refundable(stripe, "4000000000002685")
    refused = stripe.channel.refund(movement)
    assert (refused.outcome, refused.code) == (Outcome.ERRORED, "charge_disputed")
    assert given_back(stripe, request) == 0


def test_an_empty_balance_makes_it_wait_for_money(sandbox: Sandbox, receiver: Receiver) -> None:
    poor = StripeDriver(sandbox, receiver)
    onboarded = sandbox.onboard(name="poor", webhooks={"stripe": receiver.url + poor.notify_path})
    poor.account = onboarded["stripe"]
    poor.channel = poor.from_account()
    owing = f"/control/stripe/{onboarded['merchant']}/owing"
    sandbox.ask("POST", owing, {"currency": "cny", "forbidden": True})
    request, movement = refundable(poor, "4242424242424242")
    movement = replace(movement, amount=request.amount)
    waiting = poor.channel.refund(movement)
    assert (waiting.outcome, given_back(poor, request)) == (Outcome.PENDING, 0)
    poor.paid()
    eventually(lambda: poor.channel.query_refund(movement).outcome is Outcome.SUCCEEDED)
    assert given_back(poor, request) == 10_000


@pytest.mark.parametrize(
    ("fate", "first", "last"),
    [
        ("pending_succeeds", Outcome.PENDING, Outcome.SUCCEEDED),
        ("pending_fails", Outcome.PENDING, Outcome.DECLINED),
        ("succeeds_fails", Outcome.SUCCEEDED, Outcome.DECLINED),
    ],
)
def test_its_fate_may_be_settled_in_advance(
    stripe: StripeDriver, fate: str, first: Outcome, last: Outcome
) -> None:
    request, movement = refundable(stripe, "4242424242424242")
    asked = {"deed": "refund", "fate": fate, "reference": request.reference, "seconds": 0.3}
    stripe.sandbox.ask("POST", "/control/fates", asked)
    assert stripe.channel.refund(movement).outcome is first
    eventually(lambda: stripe.channel.query_refund(movement).outcome is last)
    assert given_back(stripe, request) == (2_500 if last is Outcome.SUCCEEDED else 0)
