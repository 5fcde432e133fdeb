"""Money that is held is taken in parts: each part once, never more than is held, whatever is lost on the way."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone

from ledger.errors import Refusal
from ledger.money import Money
from ledger.selectors import balance, transactions_of
from payments import selectors
from payments.channels.contract import Capability, Outcome
from payments.channels.stripe.channel import StripeChannel
from payments.errors import (
    CaptureExceedsHeld,
    CaptureKeyReused,
    PaymentNotCapturable,
    PaymentOutcomeUnknown,
)
from payments.models import Attempt, OutboxEvent, Payment
from payments.selectors import PaymentView
from payments.services import send_attempt as sending
from payments.services.apply_answer import apply_answer
from payments.services.cancel_payment import cancel_payment
from payments.services.capture_payment import capture_payment
from payments.services.resolve_review import resolve_review
from payments.services.settle_attempt import settle_attempt
from payments.services.start_payment import start_payment
from payments.states import AttemptKind, CaptureMode
from tests.payments.conftest import CHINESE_VISA, Till
from tests.payments.desk import answer, broken

INTENTS = "/stripe/v1/payment_intents/"


@pytest.fixture
def held(till: Till) -> PaymentView:
    """100 CNY on a card, held to be taken in parts."""
    payment = hold(till)
    assert (payment.state, payment.held.minor, payment.capture_mode) == ("AUTHORIZED", 10_000, "manual")
    return payment


def hold(till: Till, method: str = "card", **asked: Any) -> PaymentView:
    return start_payment(intent=replace(till.intent(method, **asked), capture_mode=CaptureMode.MANUAL))


def take(
    payment: PaymentView, fen: int | None = None, *, final: bool = False, key: str = "k1"
) -> PaymentView:
    amount = None if fen is None else Money(fen, "CNY")
    return capture_payment(
        payment=payment.id, amount=amount, final=final, actor="user:7", reason="shipped", key=key
    )


def told(payment: PaymentView, name: str) -> list[dict[str, Any]]:
    rows = OutboxEvent.objects.filter(subject=payment.reference, name=name).order_by("pk")
    return [row.payload for row in rows]


def booked(payment: PaymentView) -> list[int]:
    """What was taken by each capture in the journal, in turn."""
    return [posted.entries[0].amount.minor for posted in transactions_of(payment.reference)]


def captures(payment: PaymentView) -> list[str]:
    return [row.state for row in selectors.attempts_of(payment.id) if row.kind == "CAPTURE"]


def due(payment: PaymentView) -> str:
    """The movement that the janitor would ask about."""
    [row] = Attempt.objects.filter(payment__reference=payment.reference).moving()
    return row.public_id


def test_held_money_is_told_and_not_booked(till: Till, held: PaymentView) -> None:
    [event] = told(held, "payment.authorized")
    assert (event["authorized"], event["payment"]) == (10_000, held.id)
    assert held.held_until and held.held_until > timezone.now()
    assert transactions_of(held.reference) == []
    assert (till.at_provider(held)["state"], captures(held), broken()) == ("authorized", [], [])


def test_a_channel_that_can_not_hold_takes_it_at_once(till: Till) -> None:
    payment = hold(till, "alipay")
    assert payment.capture_mode == "automatic"
    till.customer(payment, "pay")
    paid = till.wait_for(payment, "SUCCEEDED")
    assert (paid.captured.minor, told(paid, "payment.authorized")) == (10_000, [])


def test_three_parts_make_the_whole(till: Till, held: PaymentView) -> None:
    first = take(held, 3_000, key="one")
    assert (first.state, first.captured.minor, first.held.minor) == ("SUCCEEDED", 3_000, 7_000)
    take(held, 5_000, key="two")
    last = take(held, key="three")

    assert (last.captured.minor, last.held.minor) == (10_000, 0)
    assert booked(held) == [3_000, 5_000, 2_000]
    assert till.at_provider(held)["captured"] == 10_000
    assert [event["captured"] for event in told(held, "payment.succeeded")] == [3_000]
    later = [(event["captured"], event["captured_total"]) for event in told(held, "payment.captured")]
    assert later == [(5_000, 8_000), (2_000, 10_000)]
    assert told(held, "payment.released") == []
    assert (balance("customer_prepayments", "CNY").minor, broken()) == (-10_000, [])


def test_a_final_part_lets_the_rest_go(till: Till, held: PaymentView) -> None:
    after = take(held, 4_000, final=True)

    assert (after.captured.minor, after.held.minor, booked(held)) == (4_000, 0, [4_000])
    assert [event["released"] for event in told(held, "payment.released")] == [6_000]
    with pytest.raises(PaymentNotCapturable):
        take(held, 1_000, key="more")
    assert (captures(held), broken()) == (["SUCCEEDED"], [])


def test_one_key_takes_once(till: Till, held: PaymentView) -> None:
    take(held, 3_000)
    again = take(held, 3_000)

    assert (again.captured.minor, captures(held), booked(held)) == (3_000, ["SUCCEEDED"], [3_000])
    with pytest.raises(CaptureKeyReused):
        take(held, 2_000)
    with pytest.raises(CaptureKeyReused):
        take(hold(till), 3_000)
    assert till.at_provider(held)["captured"] == 3_000


@pytest.mark.parametrize("fen", [0, -1, 10_001])
def test_never_more_than_is_held(till: Till, held: PaymentView, fen: int) -> None:
    with pytest.raises(CaptureExceedsHeld):
        take(held, fen)
    assert (captures(held), till.at_provider(held)["captured"]) == ([], 0)


def test_what_is_not_held_is_not_captured(till: Till) -> None:
    with pytest.raises(PaymentNotCapturable):
        take(till.pay("card"))
    with pytest.raises(PaymentNotCapturable):
        take(till.pay("alipay"))


def test_where_the_channel_captures_once_the_first_is_the_last(
    till: Till, held: PaymentView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        StripeChannel, "capabilities", StripeChannel.capabilities - {Capability.MULTI_CAPTURE}
    )

    after = take(held, 3_000)

    assert (after.captured.minor, after.held.minor) == (3_000, 0)
    with pytest.raises(PaymentNotCapturable):
        take(held, 1_000, key="more")
    assert (captures(held), till.at_provider(held)["captured"], broken()) == (["SUCCEEDED"], 3_000, [])


def test_approved_after_review_it_is_held_on(till: Till) -> None:
    card = till.card(CHINESE_VISA)
    reviewed = hold(till, fen=500_000, to="US", instrument=card)
    assert (reviewed.state, told(reviewed, "payment.authorized")) == ("IN_REVIEW", [])
    with pytest.raises(PaymentNotCapturable):
        take(reviewed)

    approved = resolve_review(case=reviewed.case, approve=True, actor="user:7", reason="Known customer")

    assert (approved.state, captures(approved)) == ("AUTHORIZED", [])
    assert len(told(reviewed, "payment.authorized")) == 1
    assert take(approved, 1).captured.minor == 1
    assert broken() == []


@pytest.mark.parametrize("fault", ["drop_after", "error_after", "garbage_after"])
def test_a_capture_that_happened_and_was_not_answered(
    till: Till, held: PaymentView, fault: str, settings: Any
) -> None:
    settings.ROOT_URLCONF = "tests.payments.nowhere"  # or the notification would be quicker than we look
    till.sandbox.fault(INTENTS, fault, method="POST")
    lost = take(held, 3_000)
    assert (lost.state, captures(held), booked(held)) == ("AUTHORIZED", ["UNKNOWN"], [])

    settle_attempt(attempt=due(held))

    assert (captures(held), booked(held), till.at_provider(held)["captured"]) == (
        ["SUCCEEDED"],
        [3_000],
        3_000,
    )
    assert (selectors.payment(held.id).held.minor, broken()) == (7_000, [])


def test_a_capture_that_was_lost_on_its_way_is_sent_again(till: Till, held: PaymentView) -> None:
    till.sandbox.fault(INTENTS, "drop_before", method="POST")
    take(held, 3_000)
    assert captures(held) == ["UNKNOWN"]

    settle_attempt(attempt=due(held))

    assert (captures(held), booked(held), till.at_provider(held)["captured"]) == (
        ["SUCCEEDED"],
        [3_000],
        3_000,
    )


def test_what_is_unknown_is_asked_about_before_anything_else(till: Till, held: PaymentView) -> None:
    till.sandbox.fault(INTENTS, "drop_before", method="POST")
    take(held, 3_000, key="one")

    after = take(held, 2_000, key="two")

    assert (after.captured.minor, captures(held), booked(held)) == (5_000, ["SUCCEEDED"] * 2, [3_000, 2_000])
    till.sandbox.fault(INTENTS, "drop_before", times=2)
    take(held, 1_000, key="three")
    with pytest.raises(PaymentOutcomeUnknown):
        take(held, 1_000, key="four")
    assert booked(held) == [3_000, 2_000]


def test_a_total_that_is_nobodys_is_for_a_person_and_told_once(till: Till, held: PaymentView) -> None:
    till.sandbox.fault(INTENTS, "drop_before", method="POST")
    take(held, 3_000)
    # Somebody took another part of it at the provider's own pages.
    for _ in range(3):
        with transaction.atomic():
            tell_total(held, 1_234)

    assert (captures(held), booked(held)) == (["UNKNOWN"], [])
    assert [event["told_amount"] for event in told(held, "payment.mismatched")] == [1_234]
    [row] = Attempt.objects.moving()
    assert row.next_check_at and (row.next_check_at - timezone.now()).total_seconds() > 500
    with pytest.raises(PaymentOutcomeUnknown):
        take(held, 1_000, key="two")


def tell_total(payment: PaymentView, fen: int) -> None:
    start = Attempt.objects.get(payment__reference=payment.reference, kind=AttemptKind.START)
    news = answer(start, Outcome.AUTHORIZED, captured=Money(fen, "CNY"))
    apply_answer(attempt=start, answer=news, source="query")


class Killed(BaseException):
    pass


def test_a_process_that_died_before_its_capture_leaves_work_for_the_janitor(
    till: Till, held: PaymentView, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(attempt: Attempt) -> None:
        raise Killed

    monkeypatch.setattr(sending, "_ask", die)
    with pytest.raises(Killed):
        take(held, 3_000)
    monkeypatch.undo()
    assert (captures(held), till.at_provider(held)["captured"]) == (["SENT"], 0)

    settle_attempt(attempt=due(held))

    assert (captures(held), booked(held), till.at_provider(held)["captured"]) == (
        ["SUCCEEDED"],
        [3_000],
        3_000,
    )


def test_a_process_that_died_after_its_capture_took_it_once(
    till: Till, held: PaymentView, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.ROOT_URLCONF = "tests.payments.nowhere"

    def die(**_: Any) -> None:
        raise Killed

    monkeypatch.setattr(sending, "apply_answer", die)
    with pytest.raises(Killed):
        take(held, 3_000)
    monkeypatch.undo()
    assert (captures(held), till.at_provider(held)["captured"]) == (["SENT"], 3_000)

    settle_attempt(attempt=due(held))

    assert (captures(held), booked(held), till.at_provider(held)["captured"]) == (
        ["SUCCEEDED"],
        [3_000],
        3_000,
    )


def at_once(*works: Callable[[], Any]) -> list[Any]:
    def guarded(work: Callable[[], Any]) -> Any:
        try:
            return work().state
        except Refusal as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(guarded, works))


def test_without_the_lock_two_captures_take_more_than_is_held(till: Till, held: PaymentView) -> None:
    """The race itself: each reads what is held, and each finds enough."""
    row = Payment.objects.get(reference=held.reference)
    seen = [Payment.objects.get(pk=row.pk).held for _ in range(2)]
    assert sum(min(6_000, each) for each in seen) > row.amount_authorized


@pytest.mark.parametrize("fen", [6_000, 5_000])
def test_captures_at_once_take_what_is_held_and_no_more(till: Till, held: PaymentView, fen: int) -> None:
    works = [lambda n=n: take(held, fen, key=f"k{n}") for n in range(4)]

    ends = at_once(*works)

    taken = ends.count("SUCCEEDED")
    assert 1 <= taken <= 10_000 // fen
    assert booked(held) == [fen] * taken
    assert (till.at_provider(held)["captured"], broken()) == (fen * taken, [])


def test_capture_against_void(till: Till, held: PaymentView) -> None:
    ends = at_once(
        lambda: take(held, 4_000),
        lambda: cancel_payment(payment=held.id, actor="user:8", reason="merchant"),
    )

    after = selectors.payment(held.id)
    assert after.state in ("SUCCEEDED", "CANCELLED"), ends
    assert after.captured.minor == till.at_provider(held)["captured"] == sum(booked(held))
    assert (after.captured.minor > 0) == (after.state == "SUCCEEDED")
    assert broken() == []
