"""Refunds by article: exact to the last unit, never more than was ordered, and the goods where they belong."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
from hypothesis import given
from hypothesis import strategies as st

from checkout import errors
from checkout.facts import READ_ORDERS, WRITE_REFUNDS, Item, Viewer
from checkout.invariants import check
from checkout.models import Order, OrderLine, RefundLine
from checkout.rules import shares, worth
from checkout.selectors import left_of
from checkout.services.place_order import PlacedOrder
from checkout.services.refund_order import refund_order
from checkout.services.ship_order import ship_order
from checkout.states import OrderState
from ledger.errors import Refusal
from ledger.money import Money
from payments import selectors
from payments.channels.contract import Answer, Outcome
from payments.errors import RefundExceedsCaptured, RefundKeyReused
from payments.models import Payment, Refund
from payments.selectors import RefundView
from payments.services.apply_refund_answer import apply_refund_answer
from payments.services.approve_refund import approve_refund
from payments.services.reject_refund import reject_refund
from payments.services.retry_refund import retry_refund
from tests.checkout.bank import Bank
from tests.checkout.conftest import HANGZHOU, article, holder_of, pay, place, stock_of

OPERATOR = Viewer(user_id=None, scopes=frozenset({READ_ORDERS, WRITE_REFUNDS}))


@pytest.fixture
def placed(bank: Bank) -> PlacedOrder:
    """Three teas and a cup to Singapore: tax on top, and shipping."""
    article("tea", price=3_333, total=10)
    article("cup", price=1_001, total=10)
    order = place(Item("tea", 3), Item("cup", 1), address=replace(HANGZHOU, country="SG"))
    pay(order)
    return order


def give_back(placed: PlacedOrder, key: str = "k", viewer: Viewer = OPERATOR, **what: Any) -> RefundView:
    return refund_order(order=placed.order.id, viewer=viewer, reason="Broken", key=key, **what)


def broken() -> list[str]:
    return [finding.detail for _, _, findings in check() for finding in findings]


def state(placed: PlacedOrder) -> str:
    return str(Order.objects.named(placed.order.id).get().state)


@given(total=st.integers(0, 10**9), weights=st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_shares_add_up(total: int, weights: list[int]) -> None:
    split = shares(total, weights)
    assert sum(split) == (total if sum(weights) else 0)
    assert all(abs(part * sum(weights) - total * weight) < sum(weights) or not sum(weights)
               for part, weight in zip(split, weights, strict=True))  # fmt: skip


@given(amount=st.integers(0, 10**9), parts=st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_parts_of_a_line_are_the_line(amount: int, parts: list[int]) -> None:
    left, quantity, taken = amount, sum(parts), 0
    for part in parts:
        share = worth(amount_left=left, quantity_left=quantity, quantity=part)
        assert share >= 0
        left, quantity, taken = left - share, quantity - part, taken + share
    assert (left, taken) == (0, amount)


def test_articles_one_by_one_are_the_whole_order(bank: Bank, placed: PlacedOrder) -> None:
    tea = OrderLine.objects.get(code="tea")
    assert tea.tax > 0 and placed.order.shipping.minor > 0
    sums = [
        give_back(placed, "1", lines={"tea": 1}).amount.minor,
        give_back(placed, "2", lines={"tea": 1}).amount.minor,
        give_back(placed, "3", lines={"tea": 1, "cup": 1}).amount.minor,
    ]
    assert state(placed) == OrderState.PAID, "the shipping was not refunded yet"
    sums.append(give_back(placed, "4", shipping=True).amount.minor)

    assert sum(sums) == placed.order.payable.minor
    assert abs(sums[0] - sums[1]) <= 1
    assert state(placed) == OrderState.CANCELLED_AFTER_PAY
    assert stock_of("tea") == stock_of("cup") == (10, 0)
    assert broken() == []


def test_never_more_of_a_line_than_was_ordered(bank: Bank, placed: PlacedOrder) -> None:
    give_back(placed, "1", lines={"tea": 2})
    for wrong in ({"tea": 2}, {"cup": 2}, {"desk": 1}):
        with pytest.raises(errors.LinesAlreadyRefunded):
            give_back(placed, "2", lines=wrong)
    for invalid in ({"lines": {"tea": 0}}, {"lines": {"tea": 1}, "amount": Money(1, "CNY")}):
        with pytest.raises(errors.RefundPartsInvalid):
            give_back(placed, "2", **invalid)
    with pytest.raises(errors.RefundPartsInvalid):
        give_back(placed, "2", viewer=holder_of(placed), lines={"tea": 1}, restock=True)
    assert Refund.objects.count() == len(bank.refunded) == 1


def test_the_same_key_is_the_same_refund(bank: Bank, placed: PlacedOrder) -> None:
    first, second = (give_back(placed, lines={"tea": 2}) for _ in range(2))
    assert first.id == second.id and RefundLine.objects.count() == 1
    for other in ({"lines": {"tea": 1}}, {"lines": {"cup": 1}}, {"amount": Money(1, "CNY")}):
        with pytest.raises(RefundKeyReused):
            give_back(placed, **other)
    assert len(bank.refunded) == 1


def test_all_after_an_amount_is_what_is_left(bank: Bank, placed: PlacedOrder) -> None:
    give_back(placed, "1", amount=Money(1_000, "CNY"))
    rest = give_back(placed, "2")
    assert rest.amount.minor == placed.order.payable.minor - 1_000
    assert sum(RefundLine.objects.values_list("amount", flat=True)) == rest.amount.minor
    assert state(placed) == OrderState.CANCELLED_AFTER_PAY and stock_of("tea") == (10, 0)
    assert broken() == []


def test_articles_cost_no_more_than_what_is_left_of_the_money(bank: Bank, placed: PlacedOrder) -> None:
    give_back(placed, "1", amount=placed.order.payable - Money(5, "CNY"))
    with pytest.raises(RefundExceedsCaptured):
        give_back(placed, "2", lines={"tea": 1})
    assert not RefundLine.objects.exists()


def test_goods_are_for_sale_again_as_wished(bank: Bank, placed: PlacedOrder) -> None:
    give_back(placed, "1", lines={"tea": 1}, restock=False)
    assert stock_of("tea") == (7, 0)
    give_back(placed, "2", lines={"tea": 1})
    assert stock_of("tea") == (8, 0)
    give_back(placed, "3", amount=Payment.objects.get().money(Payment.objects.get().refundable))
    assert state(placed) == OrderState.CANCELLED_AFTER_PAY
    assert (stock_of("tea"), stock_of("cup")) == ((9, 0), (10, 0)), "one tea was broken for good"
    assert broken() == []


def test_sent_goods_stay_sold_and_the_order_stays_sent(bank: Bank, placed: PlacedOrder) -> None:
    merchant = Viewer(scopes=frozenset({"orders:write"}))
    ship_order(order=placed.order.id, viewer=merchant, lines=None, carrier="SF", tracking="", key="k")
    give_back(placed, "1", lines={"tea": 1})
    give_back(placed, "2", lines={"tea": 1}, restock=True)
    give_back(placed, "3")
    assert (state(placed), stock_of("tea")) == (OrderState.FULFILLED, (8, 0))
    assert broken() == []


def test_a_customers_wish_waits_once_the_goods_are_sent_or_the_time_is_over(
    bank: Bank, placed: PlacedOrder, settings: Any
) -> None:
    mine = holder_of(placed)
    assert give_back(placed, "1", mine, lines={"cup": 1}).state == "SUCCEEDED"
    settings.REFUND_WINDOW_DAYS = -1
    assert give_back(placed, "2", mine, lines={"tea": 1}).state == "AWAITING_APPROVAL"
    settings.REFUND_WINDOW_DAYS = 14
    with transaction.atomic():
        row = Order.objects.locked().get()
        row.begin_fulfilment()
        row.save(update_fields=["state"])
    waiting = give_back(placed, "3", mine, lines={"tea": 1})
    assert (waiting.state, waiting.requested_by) == ("AWAITING_APPROVAL", "guest")
    with pytest.raises(errors.LinesAlreadyRefunded):
        give_back(placed, "4", lines={"tea": 2})
    assert len(bank.refunded) == 1

    assert approve_refund(refund=waiting.id, actor="user:9").state == "SUCCEEDED"
    assert len(bank.refunded) == 2


def test_what_is_rejected_can_be_refunded_again(bank: Bank, placed: PlacedOrder, settings: Any) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"CNY": 1}
    waiting = give_back(placed, "1", lines={"tea": 3})
    reject_refund(refund=waiting.id, actor="user:9", reason="Only one was broken")
    assert left_of(placed.order.id).by_sku["tea"].quantity == 3
    assert give_back(placed, "2", lines={"tea": 1}).state == "AWAITING_APPROVAL"
    assert broken() == []


def told(refund: RefundView, outcome: Outcome) -> None:
    with transaction.atomic():
        row = Refund.objects.by_public_id(refund.id).get()
        apply_refund_answer(refund=row, answer=Answer(outcome, code="lost_or_stolen_card"))


def test_a_refund_that_comes_back_frees_its_articles_and_restocks_once(
    bank: Bank, placed: PlacedOrder
) -> None:
    refund = give_back(placed, "1", lines={"tea": 2})
    assert stock_of("tea") == (9, 0)
    told(refund, Outcome.DECLINED)
    assert left_of(placed.order.id).by_sku["tea"].quantity == 3
    bank.query_refund = lambda request: Answer(Outcome.DECLINED)  # type: ignore[method-assign]

    assert retry_refund(refund=refund.id, actor="user:1").state == "SUCCEEDED"

    assert bank.refunded == [refund.id, f"{refund.id}_2"]
    assert stock_of("tea") == (9, 0), "the two teas were put back already"
    give_back(placed, "2", lines={"tea": 1})
    assert stock_of("tea") == (10, 0)
    assert broken() == []


def test_what_was_refunded_in_another_way_is_not_tried_again(bank: Bank, placed: PlacedOrder) -> None:
    refund = give_back(placed, "1", lines={"tea": 2})
    told(refund, Outcome.DECLINED)
    give_back(placed, "2", lines={"tea": 2})
    bank.query_refund = lambda request: Answer(Outcome.DECLINED)  # type: ignore[method-assign]
    before = Payment.objects.values().get()
    with pytest.raises(errors.LinesAlreadyRefunded):
        retry_refund(refund=refund.id, actor="user:1")
    assert Payment.objects.values().get() == before
    assert len(bank.refunded) == 2 and broken() == []


def test_money_that_comes_back_after_the_order_is_closed_waits_for_a_person(
    bank: Bank, placed: PlacedOrder
) -> None:
    refund = give_back(placed)
    told(refund, Outcome.DECLINED)
    assert state(placed) == OrderState.CANCELLED_AFTER_PAY
    assert [one.id for one in selectors.refunds_needing_a_person()] == [refund.id]
    assert broken() == [], "it is on the list of work, so nothing is lost"
    bank.query_refund = lambda request: Answer(Outcome.DECLINED)  # type: ignore[method-assign]
    assert retry_refund(refund=refund.id, actor="user:1").state == "SUCCEEDED"
    assert (stock_of("tea"), broken()) == ((10, 0), [])


AT_ONCE = 8


def at_once(work: Any) -> list[str]:
    def closing(number: int) -> str:
        try:
            return str(work(number))
        except Refusal as refusal:
            return refusal.code
        except IntegrityError as refused:
            return "refused" if "more than was ordered" in str(refused) else str(refused)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sorted(pool.map(closing, range(AT_ONCE)))


def claim(number: int) -> str:
    """What a careless program does: it notes one tea more, whatever was noted before."""
    line = OrderLine.objects.get(code="tea")
    RefundLine.objects.create(refund=f"ref_{number}", order_id=line.order_id, line=line, quantity=1, amount=1)
    return "noted"


def test_without_the_trigger_more_is_noted_than_was_ordered(bank: Bank, placed: PlacedOrder) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE checkout_refundline DISABLE TRIGGER USER")
    try:
        assert at_once(claim) == ["noted"] * AT_ONCE
        assert any("8 of 3 tea are refunded" in found for found in broken())
    finally:
        RefundLine.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE checkout_refundline ENABLE TRIGGER USER")


def test_with_it_three_are(bank: Bank, placed: PlacedOrder) -> None:
    assert at_once(claim) == ["noted"] * 3 + ["refused"] * 5


def test_eight_refunds_of_one_tea_at_once_are_three(bank: Bank, placed: PlacedOrder) -> None:
    outcomes = at_once(lambda number: give_back(placed, f"{number}", lines={"tea": 1}).state)
    assert outcomes.count("SUCCEEDED") == 3, outcomes
    assert set(outcomes) == {"SUCCEEDED", "lines_already_refunded"}
    assert stock_of("tea") == (10, 0) and broken() == []
