"""Our answer to a dispute: drafted from our records, sent once and for good, and reminded of in time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from ledger.errors import Refusal
from ledger.selectors import audit_trail, balance, trial_balance
from payments import disputes
from payments.channels import registry
from payments.errors import (
    DisputeAlreadyAnswered,
    DisputeNotOpen,
    DisputePastDue,
    EvidenceEmpty,
    EvidenceFileNotFound,
    EvidenceInvalid,
)
from payments.models import Dispute, DisputeMovement, OutboxEvent
from payments.services.accept_dispute import accept_dispute
from payments.services.add_evidence_file import add_evidence_file
from payments.services.carry_out_dispute_movement import carry_out_dispute_movement
from payments.services.draft_evidence import draft_evidence
from payments.services.prepare_evidence import prepare_evidence
from payments.services.refresh_dispute import refresh_dispute
from payments.services.remind_of_disputes import remind_of_disputes
from payments.services.remove_evidence_file import remove_evidence_file
from payments.services.submit_evidence import submit_evidence
from payments.tasks import refresh_one_dispute, settle_open_disputes
from tests.payments.desk import FEN, broken
from tests.payments.disputing import DUE, FEE, Bank, S, disputed, hear, installed, news, paid

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
