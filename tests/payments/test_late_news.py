"""News that comes late, twice or the wrong way round: nothing raises, no money is lost and none is counted twice."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from ledger.money import Money
from ledger.selectors import balance, transactions_of
from payments.channels.contract import ActionKind, NextAction, Outcome
from payments.models import Attempt, OutboxEvent, Payment, Refund
from payments.selectors import view_of
from payments.states import AttemptKind, PaymentState
from risk.models import LimitUse
from tests.payments.desk import FEN, again, broken, movement, now, opened, tell

pytestmark = pytest.mark.django_db(transaction=True)

VOID, CAPTURE = AttemptKind.VOID, AttemptKind.CAPTURE
NOTHING = Money(0, "CNY")


@pytest.fixture(autouse=True)
def nobody_listens(settings: Any) -> None:
    settings.EVENT_HANDLERS = {}


def state(row: Attempt) -> str:
    return str(Attempt.objects.get(pk=row.pk).state)


def given_back(payment: Payment) -> int:
    return sum(Refund.objects.filter(payment=payment).values_list("amount", flat=True))


def test_a_refusal_that_overtakes_the_answer_to_our_close() -> None:
    start = opened()
    tell(start, Outcome.ACTION_REQUIRED)
    void = movement(start, VOID)
    tell(start, Outcome.DECLINED)

    tell(void, Outcome.CANCELLED)

    assert (now(start), state(void)) == (("CANCELLED", "DECLINED"), "SUCCEEDED")
    assert broken() == []


@pytest.mark.parametrize("late", [Outcome.PENDING, Outcome.CANCELLED])
def test_a_success_that_overtakes_the_answer_to_our_close(late: Outcome) -> None:
    start = opened("alipay")
    tell(start, Outcome.ACTION_REQUIRED)
    void = movement(start, VOID)
    tell(start, Outcome.SUCCEEDED)

    tell(void, late)

    assert (now(start), state(void)) == (("SUCCEEDED", "SUCCEEDED"), "ERRORED")
    assert broken() == []


def test_the_news_of_surplus_money_twice_at_once() -> None:
    """The second one read the attempt before the first one had moved it beside."""
    first = opened()
    tell(first, Outcome.DECLINED)
    second = again(first.payment)
    tell(second, Outcome.SUCCEEDED)
    stale = Attempt.objects.get(pk=first.pk)
    tell(first, Outcome.SUCCEEDED)

    tell(stale, Outcome.SUCCEEDED)

    beside = Payment.objects.get(surplus=True)
    assert Attempt.objects.get(pk=first.pk).payment_id == beside.pk
    assert (given_back(beside), balance("customer_prepayments", "CNY").minor) == (FEN, -2 * FEN)
    assert broken() == []


def test_what_a_second_try_only_holds_is_let_go_and_never_booked() -> None:
    first = opened()
    tell(first, Outcome.DECLINED)
    second = again(first.payment)
    tell(second, Outcome.SUCCEEDED)

    tell(first, Outcome.AUTHORIZED)

    assert balance("receivable:stripe", "CNY") == Money(FEN, "CNY")
    assert not Refund.objects.exists()
    assert now(second) == ("SUCCEEDED", "SUCCEEDED")
    beside = Attempt.objects.get(pk=first.pk).payment
    [void] = beside.attempts.filter(kind=VOID)
    assert (beside.state, beside.surplus, void.state) == ("AUTHORIZED", True, "SENT")
    tell(void, Outcome.CANCELLED)
    assert (now(first)[0], broken()) == ("CANCELLED", [])


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.AUTHORIZED])
@pytest.mark.parametrize("ending", [Outcome.SUCCEEDED, Outcome.DECLINED])
def test_money_of_an_earlier_try_while_the_next_one_is_under_way(outcome: Outcome, ending: Outcome) -> None:
    """The next try may bring the money too, so the earlier one's does not count."""
    first = opened()
    tell(first, Outcome.DECLINED)
    second = again(first.payment)
    tell(second, Outcome.ACTION_REQUIRED)

    tell(first, outcome)
    assert (now(second), broken()) == (("REQUIRES_ACTION", "SENT"), [])
    tell(second, ending)

    paid = ending == Outcome.SUCCEEDED
    assert now(second) == (("SUCCEEDED", "SUCCEEDED") if paid else ("FAILED", "DECLINED"))
    beside = Payment.objects.get(surplus=True)
    assert given_back(beside) == (FEN if outcome == Outcome.SUCCEEDED else 0)
    assert broken() == []


def test_a_payment_is_tried_again_after_an_earlier_try_was_put_beside_it() -> None:
    first = opened()
    tell(first, Outcome.DECLINED)
    second = again(first.payment)
    tell(first, Outcome.SUCCEEDED)
    tell(second, Outcome.DECLINED)

    third = again(second.payment)

    tell(third, Outcome.SUCCEEDED)
    assert (now(third), broken()) == (("SUCCEEDED", "SUCCEEDED"), [])


def test_late_money_of_another_channel_is_booked_and_refunded_there() -> None:
    first = opened("alipay")
    tell(first, Outcome.CANCELLED)
    second = again(first.payment, "card")
    tell(second, Outcome.DECLINED)

    tell(first, Outcome.SUCCEEDED)

    payment = Payment.objects.get()
    assert (payment.state, payment.channel, payment.method) == ("SUCCEEDED", "alipay", "alipay")
    assert balance("receivable:alipay", "CNY") == Money(FEN, "CNY")
    [told] = OutboxEvent.objects.filter(name="payment.succeeded")
    assert (told.payload["channel"], told.payload["method"]) == ("alipay", "alipay")
    assert broken() == []


def test_a_hold_that_was_refused_before_is_let_go() -> None:
    start = opened()
    tell(start, Outcome.DECLINED)

    tell(start, Outcome.AUTHORIZED)

    [void] = Attempt.objects.filter(kind=VOID)
    assert now(start)[0] == "AUTHORIZED"
    tell(void, Outcome.CANCELLED)
    assert (now(start)[0], broken()) == ("CANCELLED", [])


def test_a_hold_that_comes_while_our_close_is_still_waiting() -> None:
    """The close could not be done yet, the payment was given up; then the bank holds the money after all."""
    start = opened()
    tell(start, Outcome.ACTION_REQUIRED)
    void = movement(start, VOID)
    tell(void, Outcome.PENDING)
    assert (now(start)[0], state(void)) == ("CANCELLED", "SENT")

    tell(start, Outcome.AUTHORIZED)

    assert Attempt.objects.filter(kind=VOID).count() == 1
    tell(void, Outcome.CANCELLED)
    assert (now(start)[0], state(void), broken()) == ("CANCELLED", "SUCCEEDED", [])


@pytest.mark.parametrize("refusal", [Outcome.ERRORED, Outcome.DECLINED])
def test_a_hold_that_could_not_be_let_go_is_asked_about_again(refusal: Outcome) -> None:
    start = opened()
    tell(start, Outcome.DECLINED)
    tell(start, Outcome.AUTHORIZED)
    [void] = Attempt.objects.filter(kind=VOID)

    tell(void, refusal)

    assert (now(start)[0], state(void), broken()) == ("AUTHORIZED", "UNKNOWN", [])
    assert Attempt.objects.claim_due(timezone.now() + timedelta(hours=2), 10), "the janitor goes on"


def held_and_approved() -> tuple[Attempt, Attempt]:
    start = opened()
    tell(start, Outcome.AUTHORIZED)
    return start, Attempt.objects.get(kind=CAPTURE)


def test_a_hold_that_nobody_asked_for_is_captured() -> None:
    start, capture = held_and_approved()
    assert (now(start)[0], broken()) == ("AUTHORIZED", [])
    tell(capture, Outcome.SUCCEEDED)
    assert (now(start)[0], broken()) == ("SUCCEEDED", [])


@pytest.mark.parametrize("refusal", [Outcome.CANCELLED, Outcome.DECLINED])
def test_a_hold_that_lapsed_before_the_capture_may_be_tried_again(refusal: Outcome) -> None:
    start, capture = held_and_approved()
    tell(capture, refusal)
    assert (now(start), broken()) == (("FAILED", "CANCELLED"), [])

    second = again(start.payment)
    tell(second, Outcome.SUCCEEDED)
    tell(start, Outcome.SUCCEEDED)

    assert given_back(Payment.objects.get(surplus=True)) == FEN, (
        "the first was captured after all: it goes back"
    )
    assert broken() == []


def test_a_capture_that_was_refused_lets_the_hold_go() -> None:
    start, capture = held_and_approved()

    tell(capture, Outcome.ERRORED)

    [void] = Attempt.objects.filter(kind=VOID)
    assert (now(start)[0], state(capture), broken()) == ("AUTHORIZED", "ERRORED", [])
    tell(void, Outcome.CANCELLED)
    assert (now(start), broken()) == (("CANCELLED", "CANCELLED"), [])


def test_news_of_another_sum_leaves_no_trace_on_the_attempt() -> None:
    start = opened()
    tell(start, Outcome.SUCCEEDED)
    theirs = Attempt.objects.get().channel_reference

    tell(start, Outcome.SUCCEEDED, amount=Money(1, "CNY"), channel_reference="somebody_elses")

    assert Attempt.objects.get().channel_reference == theirs
    assert len(transactions_of(start.payment.reference)) == 1


def test_late_money_pays_when_the_other_payment_was_refused() -> None:
    """A code that was put aside for a card that was declined: whoever scans it after all has paid."""
    code = opened("alipay")
    tell(code, Outcome.ACTION_REQUIRED)
    tell(movement(code, VOID), Outcome.CANCELLED)
    card = opened("card", reference=code.payment.reference)
    tell(card, Outcome.DECLINED)

    tell(code, Outcome.SUCCEEDED)

    assert (now(code)[0], now(card)[0]) == ("SUCCEEDED", "CANCELLED")
    assert not Refund.objects.exists()
    assert OutboxEvent.objects.filter(name="payment.succeeded").count() == 1
    assert broken() == []


def test_the_table_refuses_two_tries_that_both_brought_the_money() -> None:
    first = opened()
    tell(first, Outcome.DECLINED)
    tell(again(first.payment), Outcome.SUCCEEDED)

    with pytest.raises(IntegrityError, match="attempt_one_start_brings_the_money"), transaction.atomic():
        Attempt.objects.filter(pk=first.pk).update(state="SUCCEEDED")

    assert broken() == []


def test_late_money_counts_against_the_limit_again() -> None:
    attempt = opened()
    payment = attempt.payment.public_id
    use = LimitUse.objects.create(
        subject=payment, customer_key="c", used_on=timezone.now().date(), amount=FEN
    )
    tell(attempt, Outcome.DECLINED)
    use.refresh_from_db()
    assert use.released_at is not None
    tell(attempt, Outcome.SUCCEEDED)
    assert LimitUse.objects.filter(pk=use.pk, released_at=None).exists()
    assert now(attempt)[0] == "SUCCEEDED"


def test_older_news_of_a_hold_that_lapsed_changes_nothing() -> None:
    start = opened(capture_mode="manual")
    tell(start, Outcome.AUTHORIZED)
    tell(start, Outcome.CANCELLED)
    assert now(start) == ("CANCELLED", "CANCELLED")

    assert tell(start, Outcome.AUTHORIZED) == []

    assert now(start) == ("CANCELLED", "CANCELLED")
    assert not Attempt.objects.filter(kind=VOID).exists()


def test_who_reads_a_payment_while_its_customer_acts_is_told_what_was_to_be_done() -> None:
    start = opened("alipay")
    tell(start, Outcome.ACTION_REQUIRED, next_action=NextAction(ActionKind.QR, "https://qr.example/1"))
    read = Payment.objects.get(pk=start.payment_id)
    tell(start, Outcome.SUCCEEDED)

    view = view_of(read)

    assert view.state == PaymentState.REQUIRES_ACTION
    assert view.next_action and view.next_action.value == "https://qr.example/1"
    assert view_of(Payment.objects.get(pk=read.pk)).next_action is None
