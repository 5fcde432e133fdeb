"""Repairs that payments and the provider do: nothing is booked by hand that a payment must know."""

from typing import Any

import pytest

from ledger.errors import Refusal
from ledger.money import Money
from ledger.postings import transactions_by_key
from ledger.selectors import transactions_of, trial_balance
from payments import selectors as payments
from payments.channels import registry
from payments.channels.contract import Answer, Outcome
from payments.errors import NothingToAsk
from payments.models import Attempt, Refund
from payments.services.carry_out_refund import carry_out_refund
from reconciliation.cases import case_of, repairs_of
from reconciliation.errors import RepairNotOffered, RepairNotUndoable
from reconciliation.facts import RepairView
from reconciliation.models import Discrepancy, OpenItem, StatementFile
from reconciliation.proposals import proposals
from reconciliation.services.investigate import investigate
from reconciliation.services.repair_discrepancy import repair_discrepancy
from reconciliation.services.undo_repair import undo_repair
from reconciliation.states import DiscrepancyKind as K
from tests.payments.desk import FEN, again, opened, tell
from tests.payments.test_refunds_again import FAILED_AT_THE_BANK, Provider
from tests.reconciliation.differences import difference, missing_here, missing_there, statement

pytestmark = pytest.mark.django_db(transaction=True)

MAX = "user:1"


@pytest.fixture
def provider(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings.EVENT_HANDLERS = {}
    built: Any = Provider()
    built.refund = lambda request: built.refunds.append(request.key) or built.answer_for(request)
    built.answer_for = lambda request: Answer(Outcome.SUCCEEDED, amount=request.amount)
    built.asked = Answer(Outcome.SUCCEEDED, amount=Money(FEN, "CNY"))
    built.query = lambda request: built.asked
    monkeypatch.setattr(registry, "channel", lambda code: built)
    statement("stripe")
    return built


def begun() -> Attempt:
    """A try that was sent, with all that it takes to ask about it."""
    start = opened()
    start.request |= {"method": "card", "description": "Blue bicycle", "return_url": "", "notify_url": ""}
    start.store()
    return start


def do(row: Discrepancy, kind: str) -> RepairView:
    name = investigate(discrepancy=row.public_id, actor=MAX).id
    return repair_discrepancy(discrepancy=name, kind=kind, actor=MAX, reason="It is on the bill")


def first(row: Discrepancy) -> str:
    return proposals(case_of(row))[0].kind


def state(row: Discrepancy) -> str:
    row.refresh_from_db()
    return str(row.state)


def balances() -> dict[str, int]:
    return {one.account: one.balance.minor for one in trial_balance().accounts if one.balance.minor}


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.DECLINED])
def test_a_missing_capture_is_recorded_by_the_payment(provider: Any, outcome: Outcome) -> None:
    start = begun()
    tell(start, outcome)
    row = missing_here(FEN, subject=start.public_id)
    assert first(row) == "record_capture"
    done = do(row, "record_capture")
    assert (done.state, done.posted, state(row)) == ("DONE", "", "RESOLVED")
    payment = payments.payment(start.payment.public_id)
    assert (payment.state, payment.captured) == ("SUCCEEDED", Money(FEN, "CNY"))
    assert [one.business_key for one in transactions_of(payment.reference)] == [f"{payment.id}:capture:1"]
    assert balances() == {"receivable:stripe": FEN, "customer_prepayments": -FEN}
    assert row.open_item is not None
    row.open_item.refresh_from_db()
    assert row.open_item.how == "repaired"
    with pytest.raises(RepairNotUndoable):
        undo_repair(repair=done.id, actor=MAX, reason="x")


def test_what_was_kept_of_a_missing_capture_is_a_fee_from_then_on(provider: Any) -> None:
    start = begun()
    tell(start, Outcome.UNKNOWN)
    StatementFile.objects.update(kind="balance_change")
    row = missing_here(FEN, subject=start.public_id, told_fee=320_000, their_state="success")
    OpenItem.objects.update(reference=start.public_id, fee=320_000, line_state="success")
    do(row, "suspense")
    assert balances() == {"receivable:stripe": FEN - 320, "channel_fees:stripe": 320, "suspense": -FEN}
    do(row, "record_capture")
    assert balances() == {
        "receivable:stripe": FEN - 320,
        "channel_fees:stripe": 320,
        "customer_prepayments": -FEN,
    }
    assert f"{start.public_id}:fee" in transactions_by_key([f"{start.public_id}:fee"])


def test_what_lay_in_suspense_for_it_is_reversed(provider: Any) -> None:
    start = begun()
    tell(start, Outcome.UNKNOWN)
    row = difference(K.STATE, told=FEN, ours=FEN, ours_facts={"state": "UNKNOWN"}, their_state="success",
                     subject=start.public_id)  # fmt: skip
    do(row, "suspense")
    assert balances() == {"receivable:stripe": FEN, "suspense": -FEN}
    do(row, "record_capture")
    assert balances() == {"receivable:stripe": FEN, "customer_prepayments": -FEN}
    assert [one.state for one in repairs_of(row.public_id)] == ["DONE", "UNDONE"]


def test_a_provider_that_knows_of_no_money_changes_nothing(provider: Any) -> None:
    start = begun()
    tell(start, Outcome.UNKNOWN)
    provider.asked = Answer(Outcome.PENDING)
    row = missing_here(FEN, subject=start.public_id)
    done = do(row, "record_capture")
    assert (done.state, state(row), balances()) == ("DONE", "INVESTIGATING", {})
    assert do(row, "record_capture").state == "DONE"


def test_of_what_is_missing_there_the_provider_is_asked_first(provider: Any) -> None:
    start = begun()
    tell(start, Outcome.SUCCEEDED)
    row = missing_there(FEN, subject=start.public_id)
    assert first(row) == "ask_provider"
    do(row, "ask_provider")
    assert (state(row), first(row)) == ("INVESTIGATING", "wait")
    assert [one.kind for one in proposals(case_of(row))][-1] == "ask_provider"


def test_a_second_charge_goes_back_by_the_way_it_came(provider: Any) -> None:
    paid = begun()
    tell(paid, Outcome.DECLINED)
    second = again(paid.payment)
    tell(second, Outcome.SUCCEEDED)
    provider.answer_for = lambda request: FAILED_AT_THE_BANK
    tell(paid, Outcome.SUCCEEDED)  # late, beside the one that counts: its way back fails
    [refund] = Refund.objects.all()
    carry_out_refund(refund=refund.public_id)
    surplus = payments.payment(Attempt.objects.get(pk=paid.pk).payment.public_id)
    row = difference(K.DUPLICATE, told=FEN, subject=paid.public_id)
    assert surplus.surplus
    assert first(row) == "refund"
    with pytest.raises(RepairNotOffered):
        do(row, "refund")
    assert (state(row), repairs_of(row.public_id)[0].state) == ("INVESTIGATING", "FAILED")
    provider.answer_for = lambda request: Answer(Outcome.SUCCEEDED, amount=request.amount)
    done = do(row, "refund")
    assert (done.state, state(row)) == ("DONE", "RESOLVED")
    assert payments.refund(done.movement).state == "SUCCEEDED"
    assert payments.payment(surplus.id).refundable.minor == 0
    assert payments.payment(second.payment.public_id).refundable.minor == FEN
    assert balances() == {"receivable:stripe": FEN, "customer_prepayments": -FEN}


def test_what_no_payment_knows_is_not_asked_about(provider: Any) -> None:
    row = missing_here(FEN, subject="420000")
    assert [one.kind for one in proposals(case_of(row))] == ["suspense", "accept", "write_off"]
    for kind in ("ask_provider", "record_capture", "refund"):
        with pytest.raises(RepairNotOffered):
            do(row, kind)


def test_a_provider_that_does_not_answer_leaves_it_to_be_asked_again(
    provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = begun()
    tell(start, Outcome.UNKNOWN)
    row = missing_here(FEN, subject=start.public_id)

    def silent(**said: Any) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as cut_off:
        cut_off.setattr("reconciliation.services.have_payments_repair.ask_provider", silent)
        with pytest.raises(ConnectionResetError):
            do(row, "record_capture")
    assert [one.state for one in repairs_of(row.public_id)] == ["STARTED"]
    done = do(row, "record_capture")
    assert [one.state for one in repairs_of(row.public_id)] == ["DONE"]
    assert (done.state, state(row)) == ("DONE", "RESOLVED")


def test_a_refusal_of_payments_fails_the_repair(provider: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    start = begun()
    tell(start, Outcome.UNKNOWN)
    row = missing_here(FEN, subject=start.public_id)

    def refuse(**said: Any) -> None:
        raise NothingToAsk("Answered meanwhile.")

    monkeypatch.setattr("reconciliation.services.have_payments_repair.ask_provider", refuse)
    with pytest.raises(Refusal, match="meanwhile"):
        do(row, "record_capture")
    (repair,) = repairs_of(row.public_id)
    assert (repair.state, repair.undo_reason, balances()) == ("FAILED", "Answered meanwhile.", {})
