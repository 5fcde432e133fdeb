"""Whatever order news comes in, and however often: no error, sound books, one capture, and the same end."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledger.errors import Refusal
from ledger.money import Money
from ledger.selectors import transactions_of
from payments.channels.contract import Answer, Outcome
from payments.models import Attempt, OutboxEvent, Payment, Refund
from payments.services import ask_first as asking
from payments.services import cancel_payment as cancelling
from payments.services.apply_answer import apply_answer
from payments.services.cancel_payment import cancel_payment
from payments.states import AttemptKind
from tests.payments.desk import FEN, again, alone, answer, begin_part, broken, movement, opened, tell

pytestmark = pytest.mark.django_db


def bounded(examples: int) -> settings:
    ignored = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=examples, deadline=None, suppress_health_check=ignored)


NEWS = (
    Outcome.ACTION_REQUIRED,
    Outcome.PENDING,
    Outcome.DECLINED,
    Outcome.SUCCEEDED,
    Outcome.UNKNOWN,
)
# What may be said of a close of ours that is under way; nothing is said of one that was not asked for.
OF_THE_CLOSE = (Outcome.PENDING, Outcome.CANCELLED, Outcome.UNKNOWN, Outcome.ERRORED)
CANCEL = "cancel"


@pytest.fixture(autouse=True)
def nobody_listens_or_is_called(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.EVENT_HANDLERS = {}
    for module in (asking, cancelling):
        monkeypatch.setattr(module, "send_attempt", lambda **_: None)


def cancel(start: Attempt) -> bool:
    """Whether we may close it now: the call is on its way then, or was not needed."""
    payment = Attempt.objects.get(pk=start.pk).payment
    try:
        cancel_payment(payment=payment.public_id, actor="user:1", reason="customer")
    except Refusal:
        return False
    return True


def of_the_close(start: Attempt, outcome: Outcome) -> None:
    for void in Attempt.objects.open().filter(payment__attempts=start.pk, kind=AttemptKind.VOID):
        tell(void, outcome)


def captures(reference: str) -> int:
    return sum("Captured" in posted.description for posted in transactions_of(reference))


def consistent() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    assert broken() == []


steps = st.one_of(
    st.sampled_from(NEWS), st.just(CANCEL), st.sampled_from(OF_THE_CLOSE).map(lambda one: ("close", one))
)


@bounded(100)
@given(st.lists(steps, max_size=8))
@example([Outcome.ACTION_REQUIRED, CANCEL, Outcome.DECLINED])
@example([Outcome.PENDING, CANCEL, Outcome.SUCCEEDED, ("close", Outcome.PENDING)])
@alone
def test_one_try_ends_as_the_provider_says(news: list[Any]) -> None:
    """A success counts whenever it comes; without one, what we closed is closed and the rest has failed."""
    with transaction.atomic():
        start = opened()
    closed = False
    for one in news:
        if one == CANCEL:
            closed = cancel(start) or closed
        elif isinstance(one, tuple):
            of_the_close(start, one[1])
        else:
            tell(start, one)

    # The last word of the provider, which the janitor asks for; a close that it refused is asked for no more.
    of_the_close(start, Outcome.CANCELLED)
    tell(start, Outcome.DECLINED)

    payment = Payment.objects.get(attempts=start.pk)
    paid = Outcome.SUCCEEDED in news
    assert payment.state == "SUCCEEDED" if paid else payment.state in ("CANCELLED", "FAILED")
    if payment.state == "CANCELLED":
        assert closed
    elif closed and not paid:
        assert ("close", Outcome.ERRORED) in news, "it was closed, and did not end so"
    assert captures(payment.reference) == int(paid)
    assert not Refund.objects.filter(payment=payment).exists()
    consistent()


@bounded(40)
@given(st.lists(st.sampled_from(NEWS), max_size=5), st.data())
@alone
def test_every_order_of_the_same_news_has_the_same_end(news: list[Outcome], data: st.DataObject) -> None:
    news = [*news, data.draw(st.sampled_from((Outcome.SUCCEEDED, Outcome.DECLINED)))]
    ends = set()
    for order in (news, data.draw(st.permutations(news)), [*reversed(news), *news]):
        start = opened()
        for outcome in order:
            tell(start, outcome)
        row = Attempt.objects.select_related("payment").get(pk=start.pk)
        ends.add((row.payment.state, row.state, row.payment.amount_captured, captures(row.payment.reference)))
    assert len(ends) == 1
    consistent()


class Desk:
    """Two tries of one payment and a second payment of the same order, and all that may be said of them."""

    def __init__(self) -> None:
        self.starts = [opened()]
        self.reference = self.starts[0].payment.reference
        self.paid: set[Any] = set()

    def try_again(self, which: int) -> None:
        """As the customer would: under the same payment when it was refused, beside it when it was closed."""
        live = Payment.objects.filter(reference=self.reference, surplus=False).exclude(state="CANCELLED")
        payment = live.first()
        if payment is None:
            self.starts.append(opened("alipay", reference=self.reference))
        elif payment.state == "FAILED" and not payment.attempts.open().exists():
            self.starts.append(again(payment, "wechat_pay"))

    def hear(self, which: int, outcome: Outcome) -> None:
        start = self.starts[which % len(self.starts)]
        if outcome == Outcome.SUCCEEDED:
            self.paid.add(start.pk)
        tell(start, outcome)

    def hear_another_sum(self, which: int) -> None:
        tell(self.starts[which % len(self.starts)], Outcome.SUCCEEDED, amount=Money(1, "CNY"))

    def close(self, which: int) -> None:
        cancel(self.starts[which % len(self.starts)])

    def hear_of_close(self, which: int, outcome: Outcome) -> None:
        of_the_close(self.starts[which % len(self.starts)], outcome)


HEARD = (*NEWS, Outcome.AUTHORIZED, Outcome.CANCELLED, Outcome.NOT_FOUND, Outcome.ERRORED)
moves: st.SearchStrategy[tuple[str, tuple[Any, ...]]] = st.one_of(
    st.tuples(st.just("hear"), st.tuples(st.integers(0, 2), st.sampled_from(HEARD))),
    st.tuples(st.just("try_again"), st.tuples(st.just(0))),
    st.tuples(st.just("close"), st.tuples(st.integers(0, 2))),
    st.tuples(st.just("hear_of_close"), st.tuples(st.integers(0, 2), st.sampled_from(OF_THE_CLOSE))),
    st.tuples(st.just("hear_another_sum"), st.tuples(st.integers(0, 2))),
)


@bounded(150)
@given(st.lists(moves, max_size=12))
@alone
def test_no_news_of_several_tries_loses_or_doubles_money(told: list[tuple[str, tuple[Any, ...]]]) -> None:
    desk = Desk()
    for name, arguments in told:
        move: Callable[..., None] = getattr(desk, name)
        move(*arguments)
    consistent()

    payments = list(Payment.objects.filter(reference=desk.reference, amount_captured__gt=0))
    assert sum(payment.amount_captured for payment in payments) == FEN * len(desk.paid)
    assert captures(desk.reference) == len(desk.paid)
    # What came while another try could still bring the money goes back, even if that one then brings none.
    assert sum(bool(payment.refundable) for payment in payments) <= 1


class Holder:
    """A provider that holds money for us and knows what became of it; what it says may come late, twice or never."""

    def __init__(self) -> None:
        self.start = opened(capture_mode="manual")
        self.taken = 0
        self.over = False
        self.said = [self._whole()]
        tell(self.start, Outcome.AUTHORIZED)

    def _whole(self) -> Answer:
        if not self.over:
            return answer(self.start, Outcome.AUTHORIZED, captured=Money(self.taken, "CNY"))
        outcome = Outcome.SUCCEEDED if self.taken else Outcome.CANCELLED
        return answer(self.start, outcome, captured=Money(self.taken, "CNY"))

    def _payment(self) -> Payment:
        return Payment.objects.get(attempts=self.start.pk)

    def _moving(self) -> Attempt | None:
        return Attempt.objects.filter(payment__attempts=self.start.pk).moving().first()

    def _happens(self, attempt: Attempt) -> Answer:
        """It reaches the provider; the same key again changes nothing more."""
        if attempt.kind == AttemptKind.VOID:
            self.over = True
        elif not self.over and self.taken == attempt.captured_before:
            self.taken = attempt.captured_after
            self.over = attempt.is_final
        self.said.append(self._whole())
        if attempt.kind == AttemptKind.VOID:
            return self._whole()
        if self.taken < attempt.captured_after:
            return Answer(Outcome.CANCELLED, code="nothing_held")
        return Answer(Outcome.SUCCEEDED, amount=attempt.money, captured=Money(self.taken, "CNY"))

    def capture(self, fen: int, final: bool) -> None:
        payment = self._payment()
        if payment.state in ("AUTHORIZED", "SUCCEEDED") and payment.held and not self._moving():
            begin_part(self.start, min(fen, payment.held), final=final)

    def void(self) -> None:
        payment = self._payment()
        if payment.state in ("AUTHORIZED", "SUCCEEDED") and payment.held and not self._moving():
            movement(self.start, AttemptKind.VOID)

    def lapse(self) -> None:
        self.over = True
        self.said.append(self._whole())

    def reach(self, answered: bool) -> None:
        if moving := self._moving():
            said = self._happens(moving)
            self._hear(moving, said if answered else Answer(Outcome.UNKNOWN))

    def lose(self) -> None:
        """Neither the call nor an answer arrives."""
        if moving := self._moving():
            self._hear(moving, Answer(Outcome.UNKNOWN))

    def notice(self, which: int) -> None:
        """Any news of the past, again."""
        self._hear(self.start, self.said[which % len(self.said)])

    def ask(self) -> None:
        """The janitor's step: a query, and what was not done once more under its key."""
        self._hear(self.start, self._whole())
        if moving := self._moving():
            self._hear(moving, self._happens(moving))

    def _hear(self, about: Attempt, said: Answer) -> None:
        with transaction.atomic():
            apply_answer(attempt=about, answer=said, source="notice")


parts: st.SearchStrategy[tuple[str, tuple[Any, ...]]] = st.one_of(
    st.tuples(st.just("capture"), st.tuples(st.sampled_from((1, 3_000, FEN)), st.booleans())),
    st.tuples(st.just("void"), st.just(())),
    st.tuples(st.just("lapse"), st.just(())),
    st.tuples(st.just("reach"), st.tuples(st.booleans())),
    st.tuples(st.just("lose"), st.just(())),
    st.tuples(st.just("notice"), st.tuples(st.integers(0, 5))),
    st.tuples(st.just("ask"), st.just(())),
)


@bounded(50)
@given(st.lists(parts, max_size=12))
@alone
def test_what_is_taken_in_parts_ends_as_the_provider_knows_it(
    told: list[tuple[str, tuple[Any, ...]]],
) -> None:
    holder = Holder()
    for name, arguments in told:
        move: Callable[..., None] = getattr(holder, name)
        move(*arguments)
    holder.ask()
    holder.ask()

    payment = Payment.objects.get(attempts=holder.start.pk)
    assert payment.amount_captured == holder.taken
    assert payment.held == (0 if holder.over else FEN - holder.taken)
    assert payment.state == ("SUCCEEDED" if holder.taken else "CANCELLED" if holder.over else "AUTHORIZED")
    assert not payment.attempts.moving().exists()
    assert captures(payment.reference) == payment.captures
    assert not OutboxEvent.objects.filter(name="payment.mismatched", subject=payment.reference).exists()
    for _ in range(2):
        for which in range(len(holder.said)):
            holder.notice(which)
    after = Payment.objects.get(pk=payment.pk)
    assert (after.state, after.amount_captured, after.held) == (payment.state, holder.taken, payment.held)
    consistent()
