"""Whatever news of refunds comes, in any order, among whatever people do: sound books, and never too much money."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledger.errors import Refusal
from ledger.money import Money
from payments.channels import registry
from payments.channels.contract import Answer, Capability, MovementRequest, Outcome
from payments.models import Payment, Refund
from payments.services.apply_refund_answer import apply_refund_answer
from payments.services.approve_refund import approve_refund
from payments.services.carry_out_refund import carry_out_refund
from payments.services.close_refund import close_refund
from payments.services.reject_refund import reject_refund
from payments.services.request_refund import request_refund
from payments.services.retry_refund import retry_refund
from payments.services.settle_refund_by_hand import settle_refund_by_hand
from tests.payments.desk import FEN, broken, opened, tell

pytestmark = pytest.mark.django_db


class Provider:
    capabilities = frozenset({Capability.REFUND})
    says = Outcome.SUCCEEDED

    def refund(self, request: MovementRequest) -> Answer:
        return Answer(self.says, code="said")

    query_refund = refund


@pytest.fixture
def provider(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Provider:
    settings.EVENT_HANDLERS = {}
    settings.REFUND_APPROVAL_ABOVE = {"CNY": FEN // 2}
    built = Provider()
    monkeypatch.setattr(registry, "channel", lambda code: built)
    return built


def news(refund: str, outcome: Outcome, try_before: bool) -> None:
    with transaction.atomic():
        row = Refund.objects.by_public_id(refund).get()
        movement = max(1, row.movement - try_before)
        apply_refund_answer(refund=row, answer=Answer(outcome, code="news"), movement=movement)


def janitor(refund: str) -> None:
    Refund.objects.by_public_id(refund).update(checks=1)
    carry_out_refund(refund=refund)


PEOPLE: dict[str, Callable[[str], Any]] = {
    "approve": lambda refund: approve_refund(refund=refund, actor="user:2"),
    "reject": lambda refund: reject_refund(refund=refund, actor="user:2", reason="No"),
    "retry": lambda refund: retry_refund(refund=refund, actor="user:1"),
    "close": lambda refund: close_refund(refund=refund, actor="user:1", reason="Enough"),
    "by hand": lambda refund: settle_refund_by_hand(
        refund=refund, account="main", reference="T1", actor="user:3"
    ),
    "janitor": janitor,
}
OUTCOMES = (
    Outcome.SUCCEEDED,
    Outcome.DECLINED,
    Outcome.ERRORED,
    Outcome.PENDING,
    Outcome.UNKNOWN,
    Outcome.NOT_FOUND,
)
steps = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from((FEN, FEN // 2, FEN // 4))),
    st.tuples(st.sampled_from(sorted(PEOPLE)), st.integers(0, 2)),
    st.tuples(st.sampled_from(OUTCOMES), st.integers(0, 2), st.booleans()),
    st.tuples(st.just("provider says"), st.sampled_from(OUTCOMES)),
)


def take(step: tuple[Any, ...], payment: Payment, provider: Provider, number: int) -> None:
    refunds = [row.public_id for row in Refund.objects.filter(payment=payment).order_by("pk")]
    what, which = step[0], step[1]
    if what == "ask":
        money = Money(which, "CNY")
        request_refund(
            payment=payment.public_id, amount=money, reason="x", actor="user:1", key=f"{payment.pk}{number}"
        )
    elif what == "provider says":
        provider.says = which
    elif refunds and what in PEOPLE:
        PEOPLE[what](refunds[which % len(refunds)])
    elif refunds:
        news(refunds[which % len(refunds)], what, step[2])


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(steps, max_size=12))
@example([("ask", FEN // 4), (Outcome.DECLINED, 0, False), ("retry", 0), (Outcome.SUCCEEDED, 0, True)])
@example([("ask", FEN), ("approve", 0), (Outcome.DECLINED, 0, False), ("by hand", 0), ("approve", 0)])
def test_any_order_leaves_sound_books(provider: Provider, steps: list[tuple[Any, ...]]) -> None:
    provider.says = Outcome.SUCCEEDED
    start = opened()
    tell(start, Outcome.SUCCEEDED)
    payment = Payment.objects.get(attempts=start.pk)
    for number, step in enumerate(steps):
        with suppress(Refusal):
            take(step, payment, provider, number)
        payment.refresh_from_db()
        assert payment.amount_refunded + payment.amount_refunding <= payment.amount_captured
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    assert broken() == []
