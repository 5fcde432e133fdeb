"""What is held does not stay held for ever: it is let go, it lapses, and nobody is left to find out by chance."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from structlog.testing import capture_logs

from ledger.money import Money
from ledger.selectors import transactions_of
from payments import selectors
from payments.channels.contract import Outcome
from payments.errors import PaymentInProgress, PaymentNotCapturable
from payments.models import Attempt, OutboxEvent, Payment
from payments.selectors import PaymentView
from payments.services.cancel_payment import cancel_payment
from payments.services.release_rest import release_rest
from payments.services.sound_alarms import sound_alarms
from payments.services.watch_holds import watch_holds
from payments.states import AttemptKind
from tests.payments.conftest import Till
from tests.payments.desk import FEN, begin_part, broken, movement, now, opened, tell
from tests.payments.test_captures import at_once, booked, captures, hold, take, told

CAPTURE, VOID = AttemptKind.CAPTURE, AttemptKind.VOID


@pytest.fixture
def held(till: Till) -> PaymentView:
    return hold(till)


@pytest.fixture
def desk_hold(transactional_db: None, settings: Any) -> Attempt:
    settings.EVENT_HANDLERS = {}
    start = opened(capture_mode="manual")
    tell(start, Outcome.AUTHORIZED, held_until=timezone.now() + timedelta(days=7))
    return start


def fen(minor: int) -> Money:
    return Money(minor, "CNY")


def state(attempt: Attempt) -> str:
    return str(Attempt.objects.get(pk=attempt.pk).state)


def names(start: Attempt) -> list[str]:
    return list(OutboxEvent.objects.order_by("created_at", "pk").values_list("name", flat=True))


def test_the_rest_of_a_hold_is_let_go(till: Till, held: PaymentView) -> None:
    take(held, 3_000)

    after = release_rest(payment=held.id, actor="user:7", reason="The rest is sold out")

    assert (after.state, after.captured.minor, after.held.minor) == ("SUCCEEDED", 3_000, 0)
    [event] = told(held, "payment.released")
    assert (event["released"], event["reason"]) == (7_000, "The rest is sold out")
    assert (till.at_provider(held)["captured"], booked(held), broken()) == (3_000, [3_000], [])
    assert release_rest(payment=held.id, actor="user:7", reason="Again").held.minor == 0
    assert len(told(held, "payment.released")) == 1
    with pytest.raises(PaymentNotCapturable):
        take(held, 1, key="late")


def test_a_release_that_was_not_answered_is_found_done(till: Till, held: PaymentView, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.payments.nowhere"
    take(held, 3_000)
    till.sandbox.fault("/stripe/v1/payment_intents/", "drop_after", method="POST")
    lost = release_rest(payment=held.id, actor="user:7", reason="Sold out")
    assert lost.held.minor == 7_000

    assert release_rest(payment=held.id, actor="user:7", reason="Sold out").held.minor == 0
    assert broken() == []


def test_what_nothing_was_taken_of_is_cancelled_not_released(till: Till, held: PaymentView) -> None:
    with pytest.raises(PaymentNotCapturable):
        release_rest(payment=held.id, actor="user:7", reason="No")
    assert selectors.payment(held.id).held.minor == FEN

    ended = cancel_payment(payment=held.id, actor="user:7", reason="merchant")

    assert (ended.state, ended.failure_code, ended.held.minor) == ("CANCELLED", "merchant", 0)
    assert (till.at_provider(held)["state"], transactions_of(held.reference), broken()) == ("closed", [], [])


def test_capture_against_release(till: Till, held: PaymentView) -> None:
    take(held, 3_000)

    at_once(
        lambda: take(held, 2_000, key="two"),
        lambda: release_rest(payment=held.id, actor="user:8", reason="Sold out"),
    )

    after = selectors.payment(held.id)
    assert after.captured.minor == till.at_provider(held)["captured"] == sum(booked(held))
    assert broken() == []


def test_a_hold_that_lapsed_with_nothing_taken(desk_hold: Attempt) -> None:
    tell(desk_hold, Outcome.CANCELLED, code="automatic")

    payment = Payment.objects.get()
    assert (payment.state, payment.failure_code, payment.held) == ("CANCELLED", "lapsed", 0)
    assert (state(desk_hold), names(desk_hold), broken()) == (
        "CANCELLED",
        ["payment.authorized", "payment.cancelled"],
        [],
    )


def test_a_hold_that_lapsed_with_a_part_taken(desk_hold: Attempt) -> None:
    tell(begin_part(desk_hold, 3_000), Outcome.SUCCEEDED, amount=fen(3_000), captured=fen(3_000))

    for _ in range(2):
        tell(desk_hold, Outcome.SUCCEEDED, captured=fen(3_000))

    payment = Payment.objects.get()
    assert (payment.state, payment.amount_captured, payment.held) == ("SUCCEEDED", 3_000, 0)
    assert names(desk_hold).count("payment.released") == 1
    assert broken() == []


@pytest.mark.parametrize("late", [Outcome.CANCELLED, Outcome.ERRORED, Outcome.UNKNOWN])
@pytest.mark.parametrize("lapse_first", [True, False])
def test_capture_against_lapse(desk_hold: Attempt, late: Outcome, lapse_first: bool) -> None:
    capture = begin_part(desk_hold, 3_000, key="shp_1:capture")
    news = [(desk_hold, Outcome.CANCELLED), (capture, late)]

    for about, outcome in news if lapse_first else reversed(news):
        tell(about, outcome, code="gone")

    assert now(desk_hold) == ("CANCELLED", "CANCELLED")
    assert state(capture) in ("CANCELLED", "ERRORED")
    assert names(desk_hold).count("payment.capture_refused") == 1
    assert broken() == []


def test_a_capture_that_was_faster_than_the_lapse(desk_hold: Attempt) -> None:
    capture = begin_part(desk_hold, 3_000)
    tell(desk_hold, Outcome.SUCCEEDED, captured=fen(3_000))
    tell(capture, Outcome.SUCCEEDED, amount=fen(3_000), captured=fen(3_000))

    payment = Payment.objects.get()
    assert (payment.state, payment.amount_captured, payment.held, payment.captures) == (
        "SUCCEEDED",
        3_000,
        0,
        1,
    )
    assert broken() == []


def test_a_hold_whose_money_was_refused_stays_held_until_somebody_decides(desk_hold: Attempt) -> None:
    for outcome in (Outcome.DECLINED, Outcome.ERRORED):
        tell(begin_part(desk_hold, 3_000, key=f"k:{outcome}"), outcome, code="no")

    assert (now(desk_hold), broken()) == (("AUTHORIZED", "SUCCEEDED"), [])
    assert names(desk_hold).count("payment.capture_refused") == 2


def test_one_movement_at_a_time(desk_hold: Attempt) -> None:
    void = movement(desk_hold, VOID)
    with pytest.raises(PaymentInProgress):
        cancel_payment(payment=void.payment.public_id, actor="user:1", reason="merchant")
    with pytest.raises(PaymentInProgress):
        capture(void.payment)
    assert not Attempt.objects.filter(kind=CAPTURE).exists()


def capture(payment: Payment) -> None:
    take(selectors.payment(payment.public_id), 1)


def test_somebody_is_warned_once_before_a_hold_lapses(desk_hold: Attempt) -> None:
    moment = timezone.now()
    assert watch_holds(now=moment) == 0

    assert watch_holds(now=moment + timedelta(days=6)) == 1
    assert watch_holds(now=moment + timedelta(days=6)) == 0

    [event] = OutboxEvent.objects.filter(name="payment.lapsing")
    assert event.payload["held"] == FEN
    # The provider extended it: that is another end, and another warning.
    tell(desk_hold, Outcome.AUTHORIZED, held_until=moment + timedelta(days=20))
    assert watch_holds(now=moment + timedelta(days=6)) == 0
    assert watch_holds(now=moment + timedelta(days=19)) == 1


def test_a_lapse_that_nobody_told_of_is_asked_about(till: Till, held: PaymentView, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.payments.nowhere"
    till.customer(held, "expire")
    Attempt.objects.update(answered_at=timezone.now() - timedelta(hours=1))

    watch_holds(now=timezone.now() + timedelta(days=8))

    ended = selectors.payment(held.id)
    assert (ended.state, ended.failure_code, captures(held)) == ("CANCELLED", "lapsed", [])


def test_what_stays_unknown_is_alarmed_about_three_times_and_never_given_up(desk_hold: Attempt) -> None:
    lost = begin_part(desk_hold, 3_000)
    tell(lost, Outcome.UNKNOWN)
    since = Attempt.objects.get(pk=lost.pk).unknown_since
    assert since
    tell(lost, Outcome.UNKNOWN)
    assert Attempt.objects.get(pk=lost.pk).unknown_since == since

    given = []
    for age in (timedelta(minutes=14), timedelta(minutes=16), timedelta(minutes=20), timedelta(hours=2)):
        with capture_logs() as logs:
            sound_alarms(now=since + age)
        given.append([entry["event"] for entry in logs])
    with capture_logs() as logs:
        assert sound_alarms(now=since + timedelta(days=30)) == 1

    assert given == [[], ["payment.unknown_too_long"], [], ["payment.unknown_too_long"]]
    [stuck] = selectors.unknown_since(since)
    assert (stuck.attempt.id, stuck.since, state(lost)) == (lost.public_id, since, "UNKNOWN")
