"""Disputes: whatever order news comes in the books are the same, and our answer goes out once."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone
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
    DisputeAlreadyAnswered,
    DisputeNotFound,
    DisputeNotOpen,
    DisputePastDue,
    EvidenceEmpty,
    EvidenceFileNotFound,
    EvidenceInvalid,
    RefundExceedsCaptured,
)
from payments.models import Attempt, Dispute, DisputeMovement, InboxEvent, OutboxEvent, Payment, Refund
from payments.services.accept_dispute import accept_dispute
from payments.services.add_evidence_file import add_evidence_file
from payments.services.apply_notice import DisputeAheadOfPayment, apply_notice
from payments.services.apply_refund_answer import apply_refund_answer
from payments.services.carry_out_dispute_movement import carry_out_dispute_movement
from payments.services.draft_evidence import draft_evidence
from payments.services.prepare_evidence import prepare_evidence
from payments.services.queue_refund import queue_refund
from payments.services.refresh_dispute import refresh_dispute
from payments.services.remind_of_disputes import remind_of_disputes
from payments.services.remove_evidence_file import remove_evidence_file
from payments.services.submit_evidence import submit_evidence
from payments.tasks import refresh_one_dispute, settle_open_disputes
from tests.payments.desk import FEN, broken, opened, tell
from tests.payments.disputing import BEGAN, DUE, FEE, Bank, S, disputed, hear, installed, news, paid

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


@pytest.mark.django_db(transaction=True)
class TestAnswering:
    def drafted(self, bank: Bank) -> str:
        row = disputed()
        draft_evidence(dispute=row.public_id, texts={"other_text": " It was sent. "}, actor=ME)
        add_evidence_file(dispute=row.public_id, kind="receipt", name="r.pdf", content=PDF, actor=ME)
        return row.public_id

    def test_texts_and_files_go_out_once(self, bank: Bank) -> None:
        dispute = self.drafted(bank)
        view = submit_evidence(dispute=dispute, actor=ME)
        [(key, sent)] = bank.submitted.items()
        assert sent.texts == {"other_text": "It was sent."} and sent.files == {"receipt": "file_1"}
        assert bank.uploads == {f"{key}:receipt": ("r.pdf", "application/pdf", PDF)}
        assert (view.state, view.can_answer, view.answer and view.answer.state) == (
            "UNDER_REVIEW",
            False,
            "SUCCEEDED",
        )
        before = moved()
        for again in (
            lambda: submit_evidence(dispute=dispute, actor=ME),
            lambda: accept_dispute(dispute=dispute, actor=ME, reason="x"),
            lambda: draft_evidence(dispute=dispute, texts={"other_text": "late"}, actor=ME),
            lambda: remove_evidence_file(dispute=dispute, kind="receipt", actor=ME),
        ):
            with pytest.raises(DisputeAlreadyAnswered):
                again()
        assert moved() == before and len(bank.submitted) == 1
        hear(Dispute.objects.get().attempt, news(S.WON, hour=9, withdrawn=0, submitted=True))
        with pytest.raises(DisputeNotOpen):
            accept_dispute(dispute=dispute, actor=ME, reason="x")

    @pytest.mark.parametrize("silent", ["before", "after"])
    def test_without_an_answer_the_provider_is_asked(self, bank: Bank, silent: str) -> None:
        dispute = self.drafted(bank)
        bank.silent = silent
        view = submit_evidence(dispute=dispute, actor=ME)
        assert (view.state, view.answer and view.answer.state) == ("NEEDS_RESPONSE", "UNKNOWN")
        with pytest.raises(DisputeAlreadyAnswered):
            submit_evidence(dispute=dispute, actor=ME)

        bank.silent = ""
        movement = DisputeMovement.objects.get()
        carry_out_dispute_movement(movement=movement.public_id, again=True)

        after = disputes.dispute(dispute)
        assert (after.state, after.answer and after.answer.state) == ("UNDER_REVIEW", "SUCCEEDED")
        assert set(bank.submitted) == {movement.key}, "one key for all tries"

    def test_an_inquiry_that_was_answered_may_ask_again_as_a_dispute(self, bank: Bank) -> None:
        start = paid()
        hear(start, news(S.WARNING, withdrawn=0))
        dispute = Dispute.objects.get().public_id
        draft_evidence(dispute=dispute, texts={"other_text": "x"}, actor=ME)
        bank.now = news(S.WARNING, withdrawn=0)
        submit_evidence(dispute=dispute, actor=ME)
        hear(start, news(S.WARNING, hour=2, submitted=True))
        assert not disputes.waiting() and [one.id for one in disputes.at_bank()] == [dispute]
        with pytest.raises(DisputeAlreadyAnswered):
            submit_evidence(dispute=dispute, actor=ME)

        hear(start, news(S.NEEDS_RESPONSE, hour=50, withdrawn=FEN))

        assert [one.id for one in disputes.waiting()] == [dispute]
        bank.now = news(S.NEEDS_RESPONSE, hour=50, withdrawn=FEN)
        assert submit_evidence(dispute=dispute, actor=ME).state == "UNDER_REVIEW"
        assert len(bank.submitted) == 2

    def test_closed_before_it_arrived(self, bank: Bank) -> None:
        dispute = self.drafted(bank)
        bank.silent = "before"
        submit_evidence(dispute=dispute, actor=ME)
        bank.silent, bank.now = "", news(S.LOST, withdrawn=FEN, fee=FEE)
        carry_out_dispute_movement(movement=DisputeMovement.objects.get().public_id, again=True)
        assert DisputeMovement.objects.get().state == "FAILED"
        assert disputes.dispute(dispute).state == "LOST" and broken() == []

    def test_refused_evidence_can_be_mended(self, bank: Bank) -> None:
        dispute = self.drafted(bank)
        bank.refuses = "The file has too many pages."
        view = submit_evidence(dispute=dispute, actor=ME)
        assert view.can_answer and view.answer and view.answer.message == bank.refuses
        bank.refuses = ""
        assert submit_evidence(dispute=dispute, actor=ME).state == "UNDER_REVIEW"

    @pytest.mark.parametrize("silent", ["", "before", "after"])
    def test_accepting_loses_the_money(self, bank: Bank, silent: str) -> None:
        dispute = disputed().public_id
        bank.silent = silent
        accept_dispute(dispute=dispute, actor=ME, reason="A fair claim")
        bank.silent = ""
        for movement in DisputeMovement.objects.all():
            carry_out_dispute_movement(movement=movement.public_id, again=True)
        view = disputes.dispute(dispute)
        assert (view.state, view.lost.minor, len(bank.accepted)) == ("ACCEPTED", FEN, 1)
        assert fen("dispute_losses") == FEN and broken() == []
        assert "A fair claim" in {
            entry.reason for entry in audit_trail(DisputeMovement.objects.get().public_id)
        }

    def test_two_clicks_are_one_answer(self, bank: Bank) -> None:
        dispute = self.drafted(bank)

        def click(number: int) -> str:
            try:
                submit_evidence(dispute=dispute, actor=ME)
            except Refusal as refusal:
                return refusal.code
            finally:
                connections.close_all()
            return "done"

        with ThreadPoolExecutor(6) as pool:
            done = list(pool.map(click, range(6)))
        assert done.count("done") == 1 and len(bank.submitted) == 1
        assert set(done) <= {"done", "dispute_already_answered", "dispute_not_open"}

    def test_late_or_empty_is_refused_and_moves_nothing(self, bank: Bank) -> None:
        empty = disputed().public_id
        late = disputed(reference="dp_2", due_by=timezone.now() - timedelta(minutes=1)).public_id
        before = moved()
        with pytest.raises(EvidenceEmpty):
            submit_evidence(dispute=empty, actor=ME)
        for act in (
            lambda: submit_evidence(dispute=late, actor=ME),
            lambda: draft_evidence(dispute=late, texts={"other_text": "x"}, actor=ME),
            lambda: add_evidence_file(dispute=late, kind="receipt", name="r", content=PDF, actor=ME),
            lambda: accept_dispute(dispute=late, actor=ME, reason="x"),
        ):
            with pytest.raises(DisputePastDue):
                act()
        assert moved() == before and not bank.submitted and not bank.accepted

    def test_only_what_a_bank_takes(self, bank: Bank) -> None:
        dispute = disputed().public_id
        bad = [
            ("receipt", b""),
            ("receipt", b"<html>"),
            ("receipt", PDF + bytes(5 * 1024 * 1024)),
            ("poem", PDF),
        ]
        for kind, content in bad:
            with pytest.raises(EvidenceInvalid):
                add_evidence_file(dispute=dispute, kind=kind, name="r", content=content, actor=ME)
        for texts in ({"poem": "x"}, {"other_text": "x" * 20_001}):
            with pytest.raises(EvidenceInvalid):
                draft_evidence(dispute=dispute, texts=texts, actor=ME)
        for content in (PDF, b"\x89PNG\r\n\x1a\n.", b"\xff\xd8\xff\xe0."):
            kept = add_evidence_file(
                dispute=dispute, kind="receipt", name="../r;.x", content=content, actor=ME
            )
            assert disputes.file_content(dispute, "receipt") == (kept, content)
        remove_evidence_file(dispute=dispute, kind="receipt", actor=ME)
        with pytest.raises(EvidenceFileNotFound):
            disputes.file_content(dispute, "receipt")
        with pytest.raises(EvidenceFileNotFound):
            remove_evidence_file(dispute=dispute, kind="receipt", actor=ME)

    def test_our_records_fill_only_what_is_empty(self, bank: Bank) -> None:
        dispute = disputed().public_id
        draft_evidence(dispute=dispute, texts={"access_log": "As I said."}, actor=ME)
        texts = prepare_evidence(dispute=dispute, actor="system").texts
        assert texts["access_log"] == "As I said."
        assert "was charged once" in texts["duplicate_explanation"]


@pytest.mark.django_db(transaction=True)
class TestTime:
    def test_reminders_come_once_each(self, bank: Bank) -> None:
        row = disputed()
        at = {days: DUE - timedelta(days=days) for days in (8, 7, 3, 1)}
        assert [remind_of_disputes(now=at[days]) for days in (8, 7, 7, 3, 1, 1)] == [0, 1, 0, 1, 1, 0]
        assert [one["hours_left"] for one in named("dispute.due_soon")] == [168, 72, 24]
        assert remind_of_disputes(now=DUE + timedelta(hours=1)) == 0
        assert Dispute.objects.get(pk=row.pk).reminders == 3

    def test_nobody_is_reminded_of_what_was_answered(self, bank: Bank) -> None:
        row = disputed()
        bank.silent = "before"
        draft_evidence(dispute=row.public_id, texts={"other_text": "x"}, actor=ME)
        submit_evidence(dispute=row.public_id, actor=ME)
        assert remind_of_disputes(now=DUE - timedelta(hours=20)) == 0

    def test_the_provider_is_asked_after_the_deadline(self, bank: Bank, monkeypatch: Any) -> None:
        passed = timezone.now() - timedelta(minutes=6)
        row = disputed(due_by=passed)
        Dispute.objects.update(next_check_at=passed)
        bank.now = replace(bank.now, state=S.LOST, due_by=passed)
        asked: list[str] = []
        monkeypatch.setattr(refresh_one_dispute, "delay", asked.append)
        assert settle_open_disputes() == 1 and settle_open_disputes() == 0
        [dispute] = asked
        refresh_one_dispute(dispute)
        assert disputes.dispute(row.public_id).state == "EXPIRED" and broken() == []

    def test_silence_leaves_it_as_it_was(self, bank: Bank) -> None:
        row = disputed()
        bank.silent = "before"
        before = moved()
        with pytest.raises(Refusal, match="does not answer"):
            refresh_dispute(dispute=row.public_id)
        refresh_one_dispute(row.public_id)
        assert moved() == before

    def test_the_queue_is_deadline_first(self, bank: Bank) -> None:
        later = disputed(reference="dp_a", due_by=DUE + timedelta(days=1)).public_id
        sooner = disputed(reference="dp_b").public_id
        undated = disputed(reference="dp_c", due_by=None).public_id
        assert [one.id for one in disputes.waiting()] == [sooner, later, undated]
        assert [(one.count, one.amount.minor) for one in disputes.at_stake()] == [(3, 3 * FEN)]
        assert datetime.now(UTC) < DUE
