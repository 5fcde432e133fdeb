"""Refunds, disputes, lapsed holds and parcels of one order, all at once: what is not paid stays here, once."""

from datetime import timedelta

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from django.utils import timezone

from checkout import errors
from checkout.facts import READ_ORDERS, WRITE_ORDERS, WRITE_REFUNDS, Item, Viewer
from checkout.invariants import check
from checkout.models import Order, OrderLine, RefundLine, Shipment, ShipmentLine
from checkout.selectors import left_of as refundable_of
from checkout.selectors.shipments import ShipmentView, left_of
from checkout.services import take_shipment_money as taking
from checkout.services.place_order import PlacedOrder
from checkout.services.refund_order import refund_order
from checkout.services.resume_shipments import resume_shipments
from checkout.services.ship_order import ship_order
from ledger.money import Money
from ledger.selectors import balance
from payments.channels.contract import Answer, DisputeNews, DisputeNewsState, Outcome
from payments.invariants import check as payments_check
from payments.models import Attempt, OutboxEvent, Payment, Refund
from payments.outbox import deliver_batch
from payments.selectors import RefundView, payments_of
from payments.services.apply_dispute_news import apply_dispute_news
from payments.services.apply_refund_answer import apply_refund_answer
from payments.services.approve_refund import approve_refund
from payments.services.capture_payment import capture_payment
from payments.services.release_rest import release_rest
from payments.services.retry_refund import retry_refund
from payments.services.settle_refund_by_hand import settle_refund_by_hand
from tests.checkout.bank import Bank
from tests.checkout.conftest import article, pay, place, stock_of

OPERATOR = Viewer(user_id=None, scopes=frozenset({READ_ORDERS, WRITE_ORDERS, WRITE_REFUNDS}))


@pytest.fixture
def placed(bank: Bank) -> PlacedOrder:
    """2 × tea at 100.00 and 3 × cup at 33.33; not paid."""
    article("tea", price=10_000)
    article("cup", price=3_333)
    return place(Item("tea", 2), Item("cup", 3))


@pytest.fixture
def paid(placed: PlacedOrder) -> PlacedOrder:
    assert pay(placed).state == "SUCCEEDED"
    return placed


@pytest.fixture
def held(settings: object, placed: PlacedOrder) -> PlacedOrder:
    settings.CAPTURE_ON_SHIPMENT = True  # type: ignore[attr-defined]
    assert pay(placed).state == "AUTHORIZED"
    return placed


def ship(order: PlacedOrder, lines: dict[str, int] | None = None, key: str = "k1") -> ShipmentView:
    return ship_order(
        order=order.order.id, viewer=OPERATOR, lines=lines, carrier="SF", tracking="SF1", key=key
    )


def give_back(order: PlacedOrder, key: str = "r1", **what: object) -> RefundView:
    return refund_order(order=order.order.id, viewer=OPERATOR, reason="Broken", key=key, **what)  # type: ignore[arg-type]


def answered(refund: RefundView, outcome: Outcome) -> None:
    row = Refund.objects.by_public_id(refund.id).get()
    with transaction.atomic():
        apply_refund_answer(refund=row, answer=Answer(outcome, amount=row.money, code="no"))


def disputed(order: PlacedOrder, state: DisputeNewsState, withdrawn: int) -> None:
    start = Attempt.objects.filter(payment__reference=order.order.id).latest_start()
    assert start is not None
    news = DisputeNews(
        reference="du_1",
        state=state,
        amount=Money(start.amount, "CNY"),
        reason="fraudulent",
        withdrawn=Money(withdrawn, "CNY"),
    )
    with transaction.atomic():
        apply_dispute_news(attempt=start, news=news, heard_at=timezone.now())


def row(order: PlacedOrder) -> Order:
    return Order.objects.named(order.order.id).get()


def broken() -> list[tuple[str, str]]:
    return [
        (finding.check, finding.detail)
        for every in (check, payments_check)
        for _, _, findings in every()
        for finding in findings
    ]


def fen(account: str) -> int:
    return balance(account, "CNY").minor


def names(order: PlacedOrder) -> list[str]:
    events = OutboxEvent.objects.filter(subject=order.order.id)
    return list(events.order_by("created_at", "pk").values_list("name", flat=True))


def test_a_refund_that_came_back_and_went_out_again_is_a_return_again(bank: Bank, paid: PlacedOrder) -> None:
    ship(paid)
    refund = give_back(paid, lines={"tea": 1})
    books = [(fen("refunds"), fen("customer_prepayments"))]
    for _ in range(2):
        answered(refund, Outcome.DECLINED)
        books.append((fen("refunds"), fen("customer_prepayments")))
        bank.refunds = Outcome.DECLINED
        assert retry_refund(refund=refund.id, actor="user:7").state == "SUCCEEDED"
        books.append((fen("refunds"), fen("customer_prepayments")))

    there, gone = books[0], (0, 0)
    assert there[0] > 0 and books == [there, gone, there, gone, there]
    answered(refund, Outcome.DECLINED)
    settle_refund_by_hand(refund=refund.id, account="main", reference="T1", actor="user:7")
    assert approve_refund(refund=refund.id, actor="user:8").state == "SUCCEEDED"
    assert (fen("refunds"), fen("customer_prepayments"), broken()) == (*there, [])


def test_what_was_refunded_unsent_is_not_sent(bank: Bank, paid: PlacedOrder) -> None:
    give_back(paid, lines={"cup": 2})
    assert (left_of(paid.order.id), stock_of("cup")) == ({"cup": 1, "tea": 2}, (9, 0))
    with pytest.raises(errors.ShipmentLinesInvalid):
        ship(paid, {"cup": 2})

    parcel = ship(paid)

    assert {part.sku: part.quantity for part in parcel.lines} == {"cup": 1, "tea": 2}
    assert (row(paid).state, broken()) == ("FULFILLED", [])
    cup = OrderLine.objects.get(code="cup")
    with pytest.raises(IntegrityError, match="2 refunded unsent"), transaction.atomic():
        ShipmentLine.objects.create(
            shipment=Shipment.objects.create(
                order=row(paid),
                business_key="x",
                carrier="",
                requested_by="x",
                **dict.fromkeys(("subtotal", "discount", "tax", "tax_included", "shipping", "amount"), 0),
            ),
            line=cup,
            quantity=1,
        )


def test_a_refund_of_the_rest_ends_the_order_and_its_goods_are_for_sale(
    bank: Bank, paid: PlacedOrder
) -> None:
    ship(paid, {"tea": 2})

    give_back(paid, lines={"cup": 3})

    assert (row(paid).state, left_of(paid.order.id), stock_of("cup")) == (
        "FULFILLED",
        {"cup": 0, "tea": 0},
        (10, 0),
    )
    assert broken() == []


def test_all_of_a_partly_sent_order_refunded_puts_back_what_is_here(bank: Bank, paid: PlacedOrder) -> None:
    ship(paid, {"tea": 1, "cup": 1})

    give_back(paid)

    assert (stock_of("tea"), stock_of("cup"), row(paid).state) == ((9, 0), (9, 0), "FULFILLED")
    assert (fen("customer_prepayments"), broken()) == (0, [])


def test_what_waits_for_its_refund_may_be_sent_when_that_fails(bank: Bank, paid: PlacedOrder) -> None:
    bank.refund_answers = Outcome.UNKNOWN
    refund = give_back(paid, lines={"cup": 3})
    ship(paid, {"tea": 2})
    assert (row(paid).state, left_of(paid.order.id)["cup"]) == ("FULFILLING", 0)

    answered(refund, Outcome.DECLINED)

    assert left_of(paid.order.id)["cup"] == 3
    ship(paid, {"cup": 2}, "k2")
    bank.refund_answers, bank.refunds = Outcome.SUCCEEDED, Outcome.DECLINED
    assert retry_refund(refund=refund.id, actor="user:7").state == "SUCCEEDED"
    line = RefundLine.objects.get()
    assert (line.quantity, line.unsent, line.restocked) == (3, 1, 1)
    assert (row(paid).state, stock_of("cup"), broken()) == ("FULFILLED", (8, 0), [])


def test_what_left_is_returned_where_only_its_money_was_taken(bank: Bank, held: PlacedOrder) -> None:
    ship(held, {"tea": 1})

    give_back(held, lines={"tea": 1})

    assert left_of(held.order.id) == {"cup": 3, "tea": 1}
    assert ship(held, None, "k2").state == "SENT"
    assert (row(held).state, stock_of("tea"), broken()) == ("FULFILLED", (8, 0), [])


@pytest.mark.parametrize("way", ["lapsed", "merchant"])
def test_the_rest_of_a_hold_that_is_gone_is_not_owed(bank: Bank, held: PlacedOrder, way: str) -> None:
    first = ship(held, {"tea": 1})
    [payment] = payments_of(held.order.id)
    if way == "lapsed":
        bank.tell(payment, Outcome.SUCCEEDED, first.amount)
    else:
        bank.released = first.amount
        release_rest(payment=payment.id, actor="user:7", reason="merchant")

    assert (row(held).state, stock_of("tea"), stock_of("cup")) == ("FULFILLED", (9, 0), (10, 0))
    assert left_of(held.order.id) == {"cup": 0, "tea": 0}
    event = OutboxEvent.objects.get(name="order.rest_cancelled")
    assert (event.payload["unsent"], event.payload["reason"]) == (
        row(held).payable - first.amount.minor,
        way,
    )
    deliver_batch()
    [letter] = [letter for letter in mail.outbox if "will not be sent" in letter.subject]
    assert "1 × Tea" in letter.body and "3 × Cup" in letter.body and "not charged" in letter.body
    left = refundable_of(held.order.id)
    assert [(line.sku, line.quantity) for line in left.lines if line.quantity] == [("tea", 1)]
    assert sum(line.amount.minor for line in left.lines) + left.shipping.minor == first.amount.minor
    assert (fen("customer_prepayments"), broken()) == (0, [])


def test_a_last_capture_by_the_merchant_ends_what_it_does_not_pay(bank: Bank, held: PlacedOrder) -> None:
    first = ship(held, {"tea": 1})
    [payment] = payments_of(held.order.id)
    capture_payment(
        payment=payment.id, amount=Money(3_333, "CNY"), final=True, actor="user:7", reason="x", key="c"
    )
    assert (row(held).state, left_of(held.order.id)["cup"]) == ("FULFILLING", 3), "one more is paid for"

    ship(held, {"cup": 1}, "k2")

    assert (row(held).state, left_of(held.order.id)) == ("FULFILLED", {"cup": 0, "tea": 0})
    assert (first.state, stock_of("cup"), broken()) == ("SENT", (9, 0), [])


def test_the_merchant_may_take_less_than_the_order_costs(bank: Bank, held: PlacedOrder) -> None:
    [payment] = payments_of(held.order.id)
    less = Money(row(held).payable - 787, "CNY")
    capture_payment(payment=payment.id, amount=less, final=True, actor="user:7", reason="x", key="c")
    assert (row(held).state, broken()) == ("PAID", [])
    Payment.objects.update(capture_mode="automatic")
    assert "secured" in str(broken()), "nobody let that go"


def test_all_that_was_taken_is_back_before_anything_left(bank: Bank, held: PlacedOrder) -> None:
    [payment] = payments_of(held.order.id)
    capture_payment(
        payment=payment.id, amount=Money(5_000, "CNY"), final=True, actor="user:7", reason="x", key="c"
    )

    give_back(held)

    assert (row(held).state, stock_of("tea"), stock_of("cup")) == ("CANCELLED_AFTER_PAY", (10, 0), (10, 0))
    assert broken() == []


class Killed(BaseException):
    pass


def test_a_parcel_that_was_cut_off_does_not_leave_after_the_refund(
    bank: Bank, paid: PlacedOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(taking, "_send_what_is_paid", dies)
    with pytest.raises(Killed):
        ship(paid)
    monkeypatch.undo()
    give_back(paid)

    resume_shipments(now=timezone.now() + timedelta(minutes=2))

    assert (Shipment.objects.get().state, row(paid).state) == ("CALLED_OFF", "CANCELLED_AFTER_PAY")
    assert (stock_of("tea"), stock_of("cup"), broken()) == ((10, 0), (10, 0), [])


def test_nothing_leaves_while_the_bank_has_the_money(
    bank: Bank, paid: PlacedOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "take_shipment_money", lambda **_: None)
    monkeypatch.setattr("checkout.services.ship_order.take_shipment_money", lambda **_: None)
    ship(paid, {"tea": 1})
    monkeypatch.undo()
    disputed(paid, DisputeNewsState.NEEDS_RESPONSE, 1_000)

    resume_shipments(now=timezone.now() + timedelta(minutes=2))
    with pytest.raises(errors.OrderNotShippable):
        ship(paid, None, "k2")

    assert (Shipment.objects.get().state, row(paid).state) == ("CALLED_OFF", "PAID")
    disputed(paid, DisputeNewsState.WON, 0)
    assert ship(paid, None, "k3").state == "SENT"
    assert broken() == []
