"""Disputes: whatever order news comes in the books are the same, and our answer goes out once."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from ledger.errors import Refusal
from ledger.money import Money
from ledger.selectors import audit_trail, balance, trial_balance
from payments import disputes, selectors
from payments.channels import registry
from payments.channels.codec import notice_to_json
from payments.channels.contract import Answer, DisputeNews, Notice, NoticeKind, Outcome
from payments.errors import (
    DisputeNotFound,
    RefundExceedsCaptured,
)
from payments.models import Attempt, Dispute, DisputeMovement, InboxEvent, OutboxEvent, Payment, Refund
from payments.movements import MOVEMENTS
from payments.services.apply_notice import DisputeAheadOfPayment, apply_notice
from payments.services.apply_refund_answer import apply_refund_answer
from payments.services.queue_refund import queue_refund
from tests.payments.desk import FEN, broken, opened, tell
from tests.payments.disputing import BEGAN, DUE, FEE, Bank, S, hear, installed, news, paid

PDF = b"%PDF-1.4 proof"
ME = "user:1"


@pytest.fixture(autouse=True)
def bank(settings: Any) -> Iterator[Bank]:
    settings.EVENT_HANDLERS = {}
    settings.EVIDENCE_SOURCES = []
    registry.channel.cache_clear()
    yield installed(Bank(), settings)
    registry.channel.cache_clear()


def fen(account: str) -> int:
    return balance(account, "CNY").minor


def books() -> dict[str, int]:
    return {row.account: row.balance.minor for row in trial_balance().accounts if row.balance.minor}


def moved() -> tuple[Any, ...]:
    """All that an answer could move."""
    return (
        books(),
        list(Dispute.objects.values_list("state", "texts").order_by("pk")),
        list(DisputeMovement.objects.values_list("state", flat=True).order_by("pk")),
        OutboxEvent.objects.count(),
    )


def named(name: str) -> list[dict[str, Any]]:
    return [event.payload for event in OutboxEvent.objects.filter(name=name).order_by("pk")]


class TestNews:
    pytestmark = pytest.mark.django_db

    def test_money_is_withdrawn_and_comes_back(self) -> None:
        start = paid()
        hear(start, news(S.NEEDS_RESPONSE, withdrawn=FEN, fee=FEE))
        payment = selectors.payment(start.payment.public_id)
        assert (fen("disputed:stripe"), fen("dispute_fees"), fen("receivable:stripe")) == (FEN, FEE, -FEE)
        assert (payment.state, payment.disputed.minor, payment.refundable.minor) == ("SUCCEEDED", FEN, 0)

        hear(start, news(S.UNDER_REVIEW, hour=1, submitted=True), news(S.WON, hour=2, withdrawn=0))

        assert (fen("disputed:stripe"), fen("receivable:stripe"), fen("dispute_losses")) == (0, FEN - FEE, 0)
        assert selectors.payment(start.payment.public_id).refundable.minor == FEN
        [view] = disputes.disputes_of(start.payment.public_id)
        assert (view.state, view.kept.minor, view.reinstated.minor, view.fee.minor) == ("WON", 0, FEN, FEE)
        keys = {posted.business_key for posted in disputes.journal_of(view)}
        assert keys == {f"{view.id}:withdrawn", f"{view.id}:fee", f"{view.id}:won"}
        assert [len(named(f"dispute.{name}")) for name in ("opened", "updated", "closed")] == [1, 1, 1]
        assert broken() == []

    def test_money_moves_on_the_banks_day_and_not_on_that_on_which_we_hear(self) -> None:
        start = paid()
        gone, back = BEGAN - timedelta(days=3), BEGAN - timedelta(days=2)
        hear(start, news(S.NEEDS_RESPONSE, withdrawn=FEN, fee=FEE, withdrawn_at=gone))
        hear(start, news(S.WON, hour=2, withdrawn=0, withdrawn_at=gone, reinstated_at=back))
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT kind, happened_at FROM {MOVEMENTS} WHERE kind LIKE 'dispute%%'")
            assert dict(cursor.fetchall()) == {"dispute": gone, "dispute_won": back}
        [view] = disputes.disputes_of(start.payment.public_id)
        posted = {one.business_key: one.happened_at for one in disputes.journal_of(view)}
        assert posted == {f"{view.id}:withdrawn": gone, f"{view.id}:fee": gone, f"{view.id}:won": back}

    def test_until_the_bank_says_when_it_is_when_we_heard(self) -> None:
        start = paid()
        hear(start, news(S.NEEDS_RESPONSE, withdrawn=FEN, fee=FEE))
        assert Dispute.objects.get().withdrawn_at == BEGAN
        gone = BEGAN - timedelta(days=3)
        hear(start, news(S.UNDER_REVIEW, hour=1, withdrawn=FEN, fee=FEE, withdrawn_at=gone))
        row = Dispute.objects.get()
        assert (row.withdrawn_at, row.reinstated_at) == (gone, None)

    def test_lost_in_part_and_won_by_an_appeal(self) -> None:
        start = paid()
        hear(
            start, news(S.NEEDS_RESPONSE, minor=4_000, withdrawn=4_000), news(S.UNDER_REVIEW, submitted=True)
        )
        hear(start, news(S.LOST, hour=3, minor=4_000, submitted=True))
        assert (fen("dispute_losses"), fen("disputed:stripe"), fen("receivable:stripe")) == (4_000, 0, 6_000)
        assert selectors.payment(start.payment.public_id).refundable.minor == 6_000
        assert broken() == []

        hear(start, news(S.WON, hour=9, minor=4_000, withdrawn=0, submitted=True))

        assert (fen("dispute_losses"), fen("disputed:stripe"), fen("receivable:stripe")) == (0, 0, FEN)
        view = disputes.disputes_of(start.payment.public_id)[0]
        assert "dispute.jumped" in {entry.action for entry in audit_trail(view.id)}
        assert [one["state"] for one in named("dispute.closed")] == ["LOST", "WON"]
        assert broken() == []

    def test_an_inquiry_moves_no_money_and_blocks_no_refund(self) -> None:
        start = paid()
        hear(start, news(S.WARNING, withdrawn=0))
        assert selectors.payment(start.payment.public_id).refundable.minor == FEN
        assert set(books()) == {"receivable:stripe", "customer_prepayments"}
        hear(start, news(S.NEEDS_RESPONSE, hour=1, withdrawn=FEN))
        assert selectors.payment(start.payment.public_id).refundable.minor == 0
        assert disputes.disputes_of(start.payment.public_id)[0].state == "NEEDS_RESPONSE"

    def test_nobody_answered_in_time(self) -> None:
        start = paid()
        late = (DUE - BEGAN).total_seconds() / 3600 + 1
        hear(start, news(S.NEEDS_RESPONSE, withdrawn=FEN), news(S.LOST, hour=late))
        assert disputes.disputes_of(start.payment.public_id)[0].state == "EXPIRED"
        assert fen("dispute_losses") == FEN and broken() == []

    def test_another_sum_or_currency_is_not_applied(self) -> None:
        start = paid()
        dollars = replace(news(S.NEEDS_RESPONSE), amount=Money(FEN, "USD"))
        before = books()
        for told in (news(S.NEEDS_RESPONSE, minor=FEN + 1), dollars, news(S.LOST, withdrawn=FEN + 1)):
            [event] = hear(start, told)
            assert event.name == "payment.mismatched"
        assert books() == before and not Dispute.objects.exists()

    def test_before_we_know_that_it_was_paid(self) -> None:
        start = opened()
        tell(start, Outcome.UNKNOWN)
        hear(start, news(S.NEEDS_RESPONSE, withdrawn=FEN))
        assert selectors.payment(start.payment.public_id).disputed.minor == FEN
        tell(start, Outcome.SUCCEEDED)
        payment = selectors.payment(start.payment.public_id)
        assert (payment.captured.minor, payment.refundable.minor) == (FEN, 0)
        assert (fen("receivable:stripe"), fen("disputed:stripe")) == (0, FEN)
        assert not named("dispute.opened")[0]["double_risk"] and broken() == []

    def test_the_order_of_a_payment_lists_them_and_truth_is_compared(self) -> None:
        start = paid()
        hear(start, news(S.NEEDS_RESPONSE, withdrawn=FEN, fee=FEE))
        hear(start, news(S.LOST, reference="dp_2", minor=1, withdrawn=0, fee=7, hour=1, submitted=True))
        [line] = selectors.money_by_attempt()
        assert (line.captured, line.disputed, line.dispute_fees) == (FEN, FEN, FEE + 7)
        assert len(disputes.disputes_of_reference(start.payment.reference)) == 2
        with pytest.raises(DisputeNotFound):
            disputes.dispute("dsp_nonsense")
        assert disputes.disputes_of("nonsense") == []


LIVES = (
    (
        news(S.NEEDS_RESPONSE),
        news(S.NEEDS_RESPONSE, withdrawn=FEN, fee=FEE),  # in the same second
        news(S.UNDER_REVIEW, hour=1, submitted=True, withdrawn=FEN),
        news(S.WON, hour=2, submitted=True),
        news(S.WON, hour=2, submitted=True, withdrawn=0, fee=0),
    ),
    (
        news(S.WARNING, withdrawn=0),
        news(S.NEEDS_RESPONSE, hour=1, withdrawn=3_000, fee=FEE),
        news(S.NEEDS_RESPONSE, hour=2, withdrawn=FEN, fee=FEE),
        news(S.LOST, hour=300, withdrawn=FEN),
        news(S.WON, hour=400, withdrawn=0),
        news(S.LOST, hour=500, withdrawn=FEN),
    ),
    (news(S.NEEDS_RESPONSE, withdrawn=FEN), news(S.LOST, hour=2, submitted=True)),
)


_ENDS: dict[int, tuple[Any, ...]] = {}  # of the lives as they happened


@pytest.mark.django_db
@bounds(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_every_order_of_news_gives_the_same_books(data: st.DataObject) -> None:
    """Duplicates among them; the last in time is not the last to arrive."""
    told = data.draw(st.sampled_from(LIVES))
    again = data.draw(st.lists(st.sampled_from(told), max_size=3))
    shuffled = data.draw(st.permutations([*told, *again]))
    which = LIVES.index(told)
    ends = _ENDS.get(which) or _ENDS.setdefault(which, live(told))
    assert live(shuffled) == ends


def live(told: Sequence[DisputeNews]) -> tuple[Any, ...]:
    """Where these news lead, and what they did to the books; nothing of it is kept."""
    with transaction.atomic():
        start = paid()
        before = books()
        hear(start, *told)
        row, after = Dispute.objects.get(), books()
        deltas = {key: after.get(key, 0) - before.get(key, 0) for key in after.keys() | before.keys()}
        facts = (row.state, row.withdrawn, row.reinstated, row.lost, row.fee, row.amount, row.due_by)
        assert broken() == []
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        transaction.set_rollback(True)
    moved = {key: delta for key, delta in deltas.items() if delta}
    return moved, facts, row.kept_from_us


def notice(told: DisputeNews, *, reference: str = "", theirs: str = "", event: str = "evt_1") -> InboxEvent:
    answer = Answer(Outcome.PENDING, theirs)
    stored = notice_to_json(Notice(event, NoticeKind.DISPUTE, reference, answer, dispute=told))
    return InboxEvent.objects.create(channel="stripe", event_id=event, notice=stored, body=b"{}")


@pytest.mark.django_db(transaction=True)
class TestNotices:
    def test_by_our_reference_by_theirs_and_by_the_dispute(self) -> None:
        start = Attempt.objects.get(pk=paid().pk)
        told = news(S.NEEDS_RESPONSE, withdrawn=FEN)
        for number, named_by in enumerate(
            ({"reference": start.public_id}, {"theirs": start.channel_reference}, {}, {"reference": "junk"})
        ):
            row = notice(told, event=f"evt_{number}", **named_by)
            assert apply_notice(inbox=row) is None
        assert Dispute.objects.count() == 1 and fen("disputed:stripe") == FEN

    def test_a_payment_that_is_not_ours(self) -> None:
        refused = apply_notice(inbox=notice(news(S.NEEDS_RESPONSE), theirs="pi_strange"))
        assert refused is not None and refused.code == "unknown_reference"
        assert not Dispute.objects.exists()

    def test_one_that_may_be_ours_is_tried_again(self) -> None:
        start = opened()
        row = notice(news(S.NEEDS_RESPONSE, withdrawn=FEN), theirs=f"theirs_{start.public_id}")
        with pytest.raises(DisputeAheadOfPayment):
            apply_notice(inbox=row)
        assert InboxEvent.objects.get().state == "FAILED"
        tell(start, Outcome.SUCCEEDED)
        assert apply_notice(inbox=row) is None
        assert fen("disputed:stripe") == FEN and broken() == []

    def test_another_currency_is_refused(self) -> None:
        start = paid()
        told = replace(news(S.NEEDS_RESPONSE), amount=Money(1, "USD"))
        refused = apply_notice(inbox=notice(told, reference=start.public_id))
        assert refused is not None and refused.code == "amount_mismatch"


def refund(payment: Payment, minor: int, key: str) -> None:
    with transaction.atomic():
        queue_refund(
            payment=payment.public_id, amount=payment.money(minor), reason="x", actor="system", key=key
        )


@pytest.mark.django_db(transaction=True)
class TestRefunds:
    def test_what_is_disputed_is_not_refunded(self) -> None:
        start = paid()
        hear(start, news(S.NEEDS_RESPONSE, minor=7_000, withdrawn=7_000))
        with pytest.raises(RefundExceedsCaptured):
            refund(start.payment, 3_001, "more")
        refund(start.payment, 3_000, "rest")
        assert not disputes.disputes_of(start.payment.public_id)[0].double_risk and broken() == []
        hear(start, news(S.WON, hour=1, minor=7_000, withdrawn=0))
        refund(start.payment, 7_000, "won")
        assert broken() == []

    def test_a_refund_in_flight_is_a_double_risk(self) -> None:
        start = paid()
        refund(start.payment, 5_000, "first")
        hear(start, news(S.NEEDS_RESPONSE, withdrawn=FEN))
        assert named("dispute.opened")[0]["double_risk"]
        payment = selectors.payment(start.payment.public_id)
        assert (payment.disputed.minor, payment.refundable.minor) == (FEN, 0)
        row = Refund.objects.get()
        with transaction.atomic():
            row.process()
            row.store()
            apply_refund_answer(refund=row, answer=Answer(Outcome.SUCCEEDED))
        assert fen("receivable:stripe") == -5_000 and broken() == []

    def test_at_once_never_more_than_what_is_left(self) -> None:
        """Many refunds of 10 yuan and a dispute of 60, of 100 together: none comes on top of the dispute."""
        start = paid()

        def act(number: int) -> str:
            try:
                if number == 5:
                    hear(start, news(S.NEEDS_RESPONSE, minor=6_000, withdrawn=6_000))
                else:
                    refund(start.payment, 1_000, f"r{number}")
            except Refusal as refusal:
                return refusal.code
            finally:
                connections.close_all()
            return "done"

        with ThreadPoolExecutor(10) as pool:
            done = list(pool.map(act, range(24)))
        row = Payment.objects.get(pk=start.payment_id)
        assert row.amount_refunding == 1_000 * (done.count("done") - 1)
        over = row.amount_refunding + row.amount_disputed > FEN
        assert Dispute.objects.get().double_risk == over and broken() == []
