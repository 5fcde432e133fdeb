"""Two things at the same moment to the same order: it ends in one piece, whichever comes first."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from checkout import selectors
from checkout.errors import OrderNotCancellable, OrderNotPayable, PaymentStillOpen
from checkout.facts import Item, Viewer
from checkout.invariants import check
from checkout.models import Order
from checkout.services.cancel_order import cancel_order
from checkout.services.expire_orders import expire_orders
from checkout.services.place_order import PlacedOrder
from checkout.services.reopen_order import reopen_order
from checkout.states import OrderState
from payments.channels.contract import Outcome
from payments.errors import PaymentInProgress, PaymentOutcomeUnknown
from payments.states import PaymentState
from tests.checkout.bank import Bank
from tests.checkout.conftest import article, holder_of, pay, place, stock_of
from tests.checkout.crowd import run

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 8
OPERATOR = Viewer(scopes=frozenset({"orders:read", "orders:write"}))
EXPECTED = (OrderNotPayable, OrderNotCancellable, PaymentStillOpen, PaymentInProgress, PaymentOutcomeUnknown)


def cancel(placed: PlacedOrder) -> Any:
    return cancel_order(order=placed.order.id, viewer=holder_of(placed))


def expire(placed: PlacedOrder) -> Any:
    return expire_orders(now=placed.order.expires_at)


def at_once(*moves: Callable[[PlacedOrder], Any]) -> list[PlacedOrder]:
    """Place orders, and make all the moves on each of them at the same moment."""
    article(total=ROUNDS)
    orders = [place(Item("tea", 1)) for _ in range(ROUNDS)]
    for placed in orders:
        for outcome in run(lambda move: move(), [partial(move, placed) for move in moves]):
            assert not isinstance(outcome, Exception) or isinstance(outcome, EXPECTED), repr(outcome)
    assert [finding for _, _, findings in check() for finding in findings] == []
    return orders


def fates(orders: list[PlacedOrder]) -> set[tuple[str, str]]:
    views = [selectors.order(placed.order.id, OPERATOR) for placed in orders]
    return {(view.state, view.payments[0].state if view.payments else "") for view in views}


WHOLE = {
    (OrderState.PAID, PaymentState.SUCCEEDED),
    (OrderState.CANCELLED, PaymentState.CANCELLED),
    (OrderState.CANCELLED, ""),
}


def test_cancelling_while_paying(bank: Bank) -> None:
    orders = at_once(pay, cancel)
    assert fates(orders) <= WHOLE
    sold = Order.objects.filter(state=OrderState.PAID).count()
    assert stock_of("tea") == (ROUNDS - sold, Order.objects.filter(state=OrderState.PENDING_PAYMENT).count())


def test_time_running_out_while_paying_from_two_tabs(bank: Bank) -> None:
    orders = at_once(pay, expire, pay, expire)
    assert fates(orders) <= WHOLE
    assert len(bank.started) <= ROUNDS


def test_money_arriving_while_cancelling(bank: Bank) -> None:
    """The wallet pays while the customer cancels: the bank closes nothing that it has sold."""
    bank.starts = Outcome.ACTION_REQUIRED
    article(total=ROUNDS)
    orders = [place(Item("tea", 1)) for _ in range(ROUNDS)]
    for placed in orders:
        payment = pay(placed, method="alipay")
        for outcome in run(lambda move: move(), [partial(bank.tell, payment), partial(cancel, placed)]):
            assert not isinstance(outcome, Exception) or isinstance(outcome, EXPECTED), repr(outcome)
    assert fates(orders) == {(OrderState.PAID, PaymentState.SUCCEEDED)}
    assert stock_of("tea") == (0, 0)
    assert [finding for _, _, findings in check() for finding in findings] == []


def test_two_sweepers_and_a_customer_who_opens_again(bank: Bank) -> None:
    article(total=ROUNDS)
    orders = [place(Item("tea", 1)) for _ in range(ROUNDS)]
    late = orders[-1].order.expires_at

    swept = run(lambda _: expire_orders(now=late), range(4))

    assert sum(swept) == ROUNDS and stock_of("tea") == (ROUNDS, 0)
    outcomes = run(lambda placed: reopen_order(order=placed.order.id, viewer=OPERATOR), [orders[0]] * 4)
    assert {outcome.state for outcome in outcomes} == {OrderState.PENDING_PAYMENT}
    assert stock_of("tea") == (ROUNDS, 1) and Order.objects.filter(expires_at__gt=timezone.now()).exists()
    assert [finding for _, _, findings in check() for finding in findings] == []
