"""The lives of orders: paid, cancelled, expired, opened again; and money that comes at the wrong moment."""

from datetime import timedelta

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from checkout import errors, handlers, selectors
from checkout.facts import WRITE_ORDERS, WRITE_REFUNDS, Item, Viewer
from checkout.models import Order, Reservation, Sku
from checkout.selectors import OrderView
from checkout.services.adjust_stock import adjust_stock
from checkout.services.cancel_order import cancel_order
from checkout.services.expire_orders import expire_orders
from checkout.services.place_order import PlacedOrder
from checkout.services.refund_order import refund_order
from checkout.services.reopen_order import reopen_order
from checkout.states import OrderState
from ledger.money import Money
from payments.channels.contract import Answer, Outcome
from payments.errors import PaymentAlreadySucceeded, PaymentOutcomeUnknown
from payments.events import PaymentActionRequired, PaymentCancelled, PaymentHeldForReview, PaymentSucceeded
from payments.models import OutboxEvent, Payment
from payments.outbox import publish
from payments.services.apply_answer import apply_answer
from payments.states import PaymentState
from tests.checkout.bank import Bank
from tests.checkout.conftest import GUEST, article, holder_of, pay, place, stock_of

pytestmark = pytest.mark.django_db(transaction=True)

OPERATOR = Viewer(user_id=None, scopes=frozenset({WRITE_ORDERS, WRITE_REFUNDS, "orders:read"}))


def now(placed: PlacedOrder) -> OrderView:
    return selectors.order(placed.order.id, OPERATOR)


def held(placed: PlacedOrder) -> list[str]:
    return sorted(Reservation.objects.filter(order__quote_id__gt="").values_list("state", flat=True))


def events(placed: PlacedOrder) -> list[str]:
    return list(
        OutboxEvent.objects.filter(subject=placed.order.id).order_by("pk").values_list("name", flat=True)
    )


@pytest.fixture
def placed(bank: Bank) -> PlacedOrder:
    article("tea", total=3)
    return place(Item("tea", 2))


def test_a_paid_order_has_sold_its_stock(bank: Bank, placed: PlacedOrder) -> None:
    payment = pay(placed)

    assert payment.state == PaymentState.SUCCEEDED
    order = now(placed)
    assert (order.state, order.can_pay, order.can_cancel, order.can_refund) == (
        OrderState.PAID,
        False,
        False,
        True,
    )
    assert Order.objects.get().paid_by == payment.id
    assert stock_of("tea") == (1, 0) and held(placed) == ["CONFIRMED"]
    assert events(placed) == ["order.placed", "payment.started", "payment.succeeded", "order.paid"]
    with pytest.raises(errors.OrderNotPayable):
        pay(placed)


def test_the_same_news_twice_is_news_once(bank: Bank, placed: PlacedOrder) -> None:
    payment = pay(placed)
    before = events(placed)
    again = PaymentSucceeded(
        reference=placed.order.id,
        payment=payment.id,
        amount=20_000,
        captured=20_000,
        currency="CNY",
        method="card",
        channel="stripe",
    )
    with transaction.atomic():
        handlers.payment_succeeded(again)
    bank.tell(payment)
    assert events(placed) == before and stock_of("tea") == (1, 0)


def test_a_declined_card_leaves_the_order_open(bank: Bank, placed: PlacedOrder) -> None:
    bank.starts = Outcome.DECLINED
    assert pay(placed).state == PaymentState.FAILED
    assert now(placed).can_pay and now(placed).can_cancel and stock_of("tea") == (3, 2)
    bank.starts = Outcome.SUCCEEDED
    assert pay(placed).state == PaymentState.SUCCEEDED


def test_others_can_neither_pay_nor_cancel_nor_refund(bank: Bank, placed: PlacedOrder) -> None:
    with pytest.raises(errors.OrderNotFound):
        pay(placed, GUEST) if not placed.access_token else pay(
            PlacedOrder(order=placed.order, access_token="guessed"), GUEST
        )
    with pytest.raises(errors.OrderNotFound):
        cancel_order(order=placed.order.id, viewer=GUEST)
    with pytest.raises(errors.OrderNotFound):
        refund_order(order=placed.order.id, viewer=GUEST, amount=None, reason="", key="1")
    with pytest.raises(errors.OrderNotFound):
        reopen_order(order=placed.order.id, viewer=GUEST)
    assert bank.started == [] and now(placed).state == OrderState.PENDING_PAYMENT


def test_cancelling_closes_the_payment_first_and_frees_the_stock(bank: Bank, placed: PlacedOrder) -> None:
    bank.starts = Outcome.ACTION_REQUIRED
    pay(placed, method="alipay")

    order = cancel_order(order=placed.order.id, viewer=holder_of(placed))

    assert order.state == OrderState.CANCELLED and order.can_reopen
    assert order.payments[0].state == PaymentState.CANCELLED
    assert stock_of("tea") == (3, 0) and held(placed) == ["RELEASED"]
    assert cancel_order(order=placed.order.id, viewer=holder_of(placed)) == order
    assert events(placed).count("order.cancelled") == 1


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.SUCCEEDED])
def test_no_cancelling_while_or_after_money_moves(bank: Bank, placed: PlacedOrder, outcome: Outcome) -> None:
    bank.starts = Outcome.ACTION_REQUIRED
    pay(placed, method="alipay")
    bank.voids = outcome

    with pytest.raises((PaymentOutcomeUnknown, errors.OrderNotCancellable)) as refusal:
        cancel_order(order=placed.order.id, viewer=holder_of(placed))

    paid = outcome == Outcome.SUCCEEDED
    assert refusal.type is (errors.OrderNotCancellable if paid else PaymentOutcomeUnknown)
    assert now(placed).state == (OrderState.PAID if paid else OrderState.PENDING_PAYMENT)
    assert stock_of("tea") == ((1, 0) if paid else (3, 2))


def test_a_paid_order_is_refunded_not_cancelled(bank: Bank, placed: PlacedOrder) -> None:
    pay(placed)
    with pytest.raises(errors.OrderNotCancellable):
        cancel_order(order=placed.order.id, viewer=holder_of(placed))

    part = Money(5_000, "CNY")
    for _ in range(2):
        refund_order(order=placed.order.id, viewer=holder_of(placed), amount=part, reason="broken", key="1")
    assert now(placed).refunded == part and now(placed).state == OrderState.PAID and len(bank.refunded) == 1

    refund_order(order=placed.order.id, viewer=OPERATOR, amount=None, reason="all of it", key="2")
    order = now(placed)
    assert (order.state, order.refunded, order.can_refund) == (
        OrderState.CANCELLED_AFTER_PAY,
        order.payable,
        False,
    )
    assert stock_of("tea") == (3, 0) and events(placed)[-1] == "order.cancelled_after_pay"


def test_an_unpaid_order_has_nothing_to_refund(bank: Bank, placed: PlacedOrder) -> None:
    with pytest.raises(errors.OrderNotRefundable):
        refund_order(order=placed.order.id, viewer=holder_of(placed), amount=None, reason="", key="1")


def test_time_runs_out(bank: Bank, placed: PlacedOrder) -> None:
    bank.starts = Outcome.DECLINED
    pay(placed)
    assert expire_orders(now=placed.order.expires_at - timedelta(seconds=1)) == 0
    assert expire_orders(now=placed.order.expires_at) == 1
    assert expire_orders(now=placed.order.expires_at) == 0

    assert now(placed).state == OrderState.CANCELLED and stock_of("tea") == (3, 0)
    [cancelled] = OutboxEvent.objects.filter(name="order.cancelled")
    assert cancelled.payload["reason"] == "expired"
    with pytest.raises(errors.OrderNotPayable):
        pay(placed)


def test_an_order_out_of_time_cannot_be_paid_even_before_it_is_swept(bank: Bank, placed: PlacedOrder) -> None:
    with time_machine.travel(placed.order.expires_at), pytest.raises(errors.OrderNotPayable):
        pay(placed)
    assert bank.started == [] and not Payment.objects.exists()


def test_an_order_whose_payment_cannot_be_closed_waits_and_holds_up_nobody(
    bank: Bank, placed: PlacedOrder
) -> None:
    bank.starts = Outcome.UNKNOWN
    pay(placed)
    article("cup")
    other = place(Item("cup", 1))
    late = other.order.expires_at

    assert expire_orders(now=late, limit=1) == 0
    assert expire_orders(now=late, limit=1) == 1
    assert (now(placed).state, now(other).state) == (OrderState.PENDING_PAYMENT, OrderState.CANCELLED)
    assert stock_of("tea") == (3, 2)
    bank.tell(now(placed).payments[0])
    assert now(placed).state == OrderState.PAID and expire_orders(now=late + timedelta(hours=1)) == 0


def test_waiting_for_the_customer_or_a_reviewer_keeps_the_stock_for_a_while(placed: PlacedOrder) -> None:
    start = Order.objects.get().opened_at
    fields = {
        "reference": placed.order.id,
        "payment": "pay_x",
        "amount": 1,
        "currency": "CNY",
        "method": "",
        "channel": "",
    }

    def action(minutes: int, reviewed: bool = False, method: str = "") -> timedelta:
        until = (start + timedelta(minutes=minutes)).isoformat()
        told = PaymentActionRequired(**{**fields, "method": method}, expires_at=until, reviewed=reviewed)  # type: ignore[arg-type]
        with transaction.atomic():
            handlers.payment_action_required(told)
        return now(placed).expires_at - start

    assert action(5) == timedelta(minutes=15)
    assert action(20) == timedelta(minutes=22)
    assert action(500) == timedelta(minutes=45)
    assert action(90 * 60, method="bank_transfer") == timedelta(hours=72, minutes=45), "at most"
    Order.objects.update(expires_at=start + timedelta(minutes=45))
    with transaction.atomic():
        decide_by = (start + timedelta(minutes=60)).isoformat()
        handlers.payment_held_for_review(PaymentHeldForReview(**fields, decide_by=decide_by))  # type: ignore[arg-type]
    assert now(placed).expires_at - start == timedelta(minutes=62)
    assert action(75, reviewed=True) == timedelta(minutes=77), "the code shown after an approval can be paid"
    assert action(500, reviewed=True) == timedelta(minutes=120)
    assert Reservation.objects.get().expires_at == now(placed).expires_at


@pytest.mark.parametrize("reason", ["review_rejected", "risk_rejected", "customer", "expired", "replaced"])
def test_only_a_refusal_for_good_ends_the_order(placed: PlacedOrder, reason: str) -> None:
    told = PaymentCancelled(
        reference=placed.order.id,
        payment="pay_x",
        amount=1,
        currency="CNY",
        method="",
        channel="",
        reason=reason,
    )
    for _ in range(2):
        with transaction.atomic():
            publish(told)
    ended = reason in ("review_rejected", "risk_rejected")
    assert now(placed).state == (OrderState.CANCELLED if ended else OrderState.PENDING_PAYMENT)
    assert stock_of("tea") == ((3, 0) if ended else (3, 2))
    assert events(placed).count("order.cancelled") == int(ended)


@pytest.fixture
def cancelled(bank: Bank, placed: PlacedOrder) -> PlacedOrder:
    """Cancelled after the bank had confirmed that the payment was closed."""
    bank.starts = Outcome.ACTION_REQUIRED
    pay(placed, method="alipay")
    cancel_order(order=placed.order.id, viewer=holder_of(placed))
    return placed


def test_late_money_takes_the_stock_again(bank: Bank, cancelled: PlacedOrder) -> None:
    bank.tell(now(cancelled).payments[0])

    assert now(cancelled).state == OrderState.PAID
    assert stock_of("tea") == (1, 0) and held(cancelled) == ["CONFIRMED", "RELEASED"]
    assert bank.refunded == []


def test_late_money_goes_back_when_the_stock_is_gone(bank: Bank, cancelled: PlacedOrder) -> None:
    adjust_stock(sku="tea", total=1, actor="user:1", reason="sold elsewhere")

    for _ in range(2):
        bank.tell(now(cancelled).payments[0])

    order = now(cancelled)
    assert order.state == OrderState.CANCELLED_AFTER_PAY and stock_of("tea") == (1, 0)
    assert events(cancelled).count("refund.requested") == 1
    payment = Payment.objects.get()
    assert payment.amount_refunding == payment.amount_captured == 20_000


def test_a_second_payment_of_a_paid_order_goes_back(bank: Bank, cancelled: PlacedOrder) -> None:
    """Closed at the bank, opened again, paid in another way, and then the first wallet pays after all."""
    first = now(cancelled).payments[0]
    reopen_order(order=cancelled.order.id, viewer=holder_of(cancelled))
    bank.starts = Outcome.SUCCEEDED
    second = pay(cancelled)

    attempt = Payment.objects.get(state=PaymentState.CANCELLED).attempts.get(kind="START")
    assert attempt.payment.public_id == first.id
    with transaction.atomic(durable=True):
        apply_answer(
            attempt=attempt,
            answer=Answer(Outcome.SUCCEEDED, channel_reference="late", amount=attempt.money),
            source="notice",
        )

    assert Order.objects.get().paid_by == second.id and stock_of("tea") == (1, 0)
    assert OutboxEvent.objects.filter(name="refund.requested").get().payload["payment"] == first.id


def test_a_cancelled_order_can_be_tried_again(bank: Bank, cancelled: PlacedOrder) -> None:
    before = Order.objects.get()
    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        order = reopen_order(order=cancelled.order.id, viewer=holder_of(cancelled))
        assert reopen_order(order=cancelled.order.id, viewer=holder_of(cancelled)) == order
        assert order.state == OrderState.PENDING_PAYMENT and order.expires_at > before.expires_at
        assert stock_of("tea") == (3, 2) and held(cancelled) == ["RELEASED", "RESERVED"]
        assert Order.objects.get().quote_id != before.quote_id
        bank.starts = Outcome.SUCCEEDED
        assert pay(cancelled).state == PaymentState.SUCCEEDED
    assert now(cancelled).state == OrderState.PAID and stock_of("tea") == (1, 0)
    with pytest.raises(errors.OrderNotReopenable):
        reopen_order(order=cancelled.order.id, viewer=holder_of(cancelled))


def test_trying_again_needs_the_stock_and_the_price_of_before(bank: Bank, cancelled: PlacedOrder) -> None:
    adjust_stock(sku="tea", total=1, actor="user:1", reason="sold")
    with pytest.raises(errors.OutOfStock):
        reopen_order(order=cancelled.order.id, viewer=holder_of(cancelled))
    adjust_stock(sku="tea", total=3, actor="user:1", reason="bought")
    Sku.objects.update(price=9_000)
    with pytest.raises(errors.QuoteStale):
        reopen_order(order=cancelled.order.id, viewer=holder_of(cancelled))
    assert now(cancelled).state == OrderState.CANCELLED and stock_of("tea") == (3, 0)


def test_money_of_another_sum_is_never_the_orders(bank: Bank, placed: PlacedOrder) -> None:
    wrong = PaymentSucceeded(
        reference=placed.order.id,
        payment="pay_x",
        amount=1,
        captured=1,
        currency="CNY",
        method="",
        channel="",
    )
    with pytest.raises(errors.CapturedDiffersFromOrder), transaction.atomic():
        publish(wrong)
    assert now(placed).state == OrderState.PENDING_PAYMENT and stock_of("tea") == (3, 2)


def test_paying_twice_is_refused_by_payments_too(bank: Bank, placed: PlacedOrder) -> None:
    bank.starts = Outcome.ACTION_REQUIRED
    pay(placed, method="alipay")
    bank.tell(now(placed).payments[0])
    with pytest.raises((PaymentAlreadySucceeded, errors.OrderNotPayable)):
        pay(placed)
    assert len(bank.started) == 1
