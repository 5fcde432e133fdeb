"""Each kind of stuck money: made through the shop's own doors, seen, repaired by its button, and gone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from checkout.facts import Item
from checkout.models import Order, Shipment, Stock
from checkout.services import take_shipment_money as taking
from checkout.services.accept_payment import accept_payment
from checkout.services.cancel_order import cancel_order
from checkout.services.place_order import PlacedOrder
from config.proof import prove
from ledger.models import AuditEntry
from ledger.money import Money
from payments import selectors
from payments.channels.contract import Answer, Outcome
from payments.models import Attempt, InboxEvent, OutboxDelivery, OutboxEvent, Payment, Refund
from payments.outbox import deliver_batch
from payments.selectors import PaymentView
from payments.services.apply_answer import apply_answer
from payments.services.carry_out_refund import carry_out_refund
from payments.services.close_refund import close_refund
from payments.services.request_refund import request_refund
from reconciliation.services.sight_stuck_money import sight_stuck_money
from tests.checkout.bank import Bank
from tests.checkout.conftest import article, holder_of, pay, place
from tests.checkout.test_shipping import ship
from tests.payments.test_dead_letters import kept
from tests.reconciliation.operators import person, press, seen

pytestmark = pytest.mark.django_db(transaction=True)

OLD = timedelta(hours=30)


@pytest.fixture
def placed(bank: Bank) -> PlacedOrder:
    """One tea at 100.00, the last one; not paid."""
    article("tea", total=1)
    return place(Item("tea", 1))


def broken() -> list[tuple[str, str]]:
    return [(finding.check, finding.detail) for _, _, findings in prove() for finding in findings]


def repaired(kind: str, subject: str, do: str, role: str = "finance") -> None:
    """It is on the list, its button is pressed, and then it is not."""
    operator = person(role)
    assert subject in seen(operator, kind=kind)
    said = press(operator, kind, subject, do)
    assert "Done: it is not stuck any more." in said
    assert f'data-subject="{subject}"' not in said and broken() == []
    user = f"user:{operator.session['_auth_user_id']}"
    assert AuditEntry.objects.filter(actor=user, reason="On the phone").exists()


def state(placed: PlacedOrder) -> str:
    return str(Order.objects.named(placed.order.id).get().state)


def refund_of(payment: PaymentView, actor: str = "user:0") -> Refund:
    request_refund(
        payment=payment.id, amount=Money(4_000, "CNY"), reason="Chipped", actor=actor, key=payment.id
    )
    return Refund.objects.get()


def test_paid_not_ordered(bank: Bank, placed: PlacedOrder, settings: Any) -> None:
    """A release went out whose settings had lost a line."""
    handlers = settings.EVENT_HANDLERS
    settings.EVENT_HANDLERS = {**handlers, "payment.succeeded": []}
    payment = pay(placed)
    settings.EVENT_HANDLERS = handlers
    assert sight_stuck_money(since=timezone.now() - OLD) == 1
    assert broken() != []
    repaired("paid_not_ordered", payment.id, "apply_paid_order", "support")
    assert state(placed) == "PAID"


def test_paid_not_ordered_and_nothing_to_sell(bank: Bank, placed: PlacedOrder, settings: Any) -> None:
    handlers = settings.EVENT_HANDLERS
    settings.EVENT_HANDLERS = {**handlers, "payment.succeeded": []}
    payment = pay(placed)
    settings.EVENT_HANDLERS = handlers
    sight_stuck_money(since=None)
    repaired("paid_not_ordered", payment.id, "refund")
    assert len(bank.refunded) == 1


def test_ordered_not_paid(bank: Bank, placed: PlacedOrder, monkeypatch: pytest.MonkeyPatch) -> None:
    bank.starts = Outcome.UNKNOWN
    payment = pay(placed)
    with transaction.atomic():
        accept_payment(order=placed.order.id, payment=payment.id, secured=Money(10_000, "CNY"))
    sight_stuck_money(since=timezone.now() - OLD)
    clerk = person("support", "clerk")
    assert "still stuck" in press(clerk, "ordered_not_paid", placed.order.id, "ask_provider")
    monkeypatch.setattr(bank, "query", _taken)
    repaired("ordered_not_paid", placed.order.id, "ask_provider", "support")


def _taken(request: Any) -> Answer:
    return Answer(Outcome.SUCCEEDED, channel_reference=f"bank_{request.reference}", amount=request.total)


def test_cancelled_not_refunded(bank: Bank, placed: PlacedOrder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The money came after the goods were gone, its refund failed, and somebody closed that."""
    payment = _paid_too_late(bank, placed)
    monkeypatch.setattr(bank, "refund", _declined)
    refund = Refund.objects.get()
    carry_out_refund(refund=refund.public_id)
    monkeypatch.undo()
    close_refund(refund=refund.public_id, actor="user:0", reason="By mistake")
    sight_stuck_money(since=None)
    assert state(placed) == "CANCELLED_AFTER_PAY"
    repaired("cancelled_not_refunded", payment.id, "refund")
    assert selectors.payment(payment.id).refundable.minor == 0, "it goes back, or has its turn soon"


def _paid_too_late(bank: Bank, placed: PlacedOrder) -> PaymentView:
    bank.starts, bank.voids = Outcome.ACTION_REQUIRED, Outcome.PENDING
    payment = pay(placed, method="alipay")
    cancel_order(order=placed.order.id, viewer=holder_of(placed))
    Stock.objects.update(total=0)
    bank.tell(payment)
    Stock.objects.update(total=1)
    return payment


def _declined(request: Any) -> Answer:
    return Answer(Outcome.DECLINED, code="card_closed", message="The card is closed.")


def test_a_refund_that_failed(bank: Bank, placed: PlacedOrder, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = pay(placed)
    monkeypatch.setattr(bank, "refund", _declined)
    refund = refund_of(payment)
    monkeypatch.undo()
    monkeypatch.setattr(bank, "query_refund", lambda request: Answer(Outcome.NOT_FOUND))
    assert "The card is closed" in person("support").get("/console/stuck/").text
    repaired("refund_failed", refund.public_id, "retry_refund")
    assert len(bank.refunded) == 1


def test_a_second_payment_whose_refund_failed(
    bank: Bank, placed: PlacedOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.starts, bank.voids = Outcome.ACTION_REQUIRED, Outcome.PENDING
    first = pay(placed, method="alipay")
    scanned = Attempt.objects.get(kind="START")
    bank.starts = Outcome.SUCCEEDED
    pay(placed)
    with transaction.atomic(durable=True):
        told = Answer(Outcome.SUCCEEDED, channel_reference="b", amount=Money(10_000, "CNY"))
        apply_answer(attempt=scanned, answer=told, source="notice")
    refund = Refund.objects.get(payment__surplus=True)
    monkeypatch.setattr(bank, "refund", _declined)
    carry_out_refund(refund=refund.public_id)
    monkeypatch.undo()
    monkeypatch.setattr(bank, "query_refund", lambda request: Answer(Outcome.NOT_FOUND))
    assert first.reference == refund.payment.reference
    repaired("surplus_refund_failed", refund.public_id, "retry_refund")


def test_a_refund_that_needs_a_person(
    bank: Bank, placed: PlacedOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = pay(placed)
    monkeypatch.setattr(bank, "refund", lambda request: Answer(Outcome.PENDING, code="ABNORMAL"))
    monkeypatch.setattr(
        bank,
        "finish_abnormal_refund",
        lambda request: Answer(Outcome.SUCCEEDED, amount=request.amount),
        raising=False,
    )
    refund = refund_of(payment)
    repaired("refund_abnormal", refund.public_id, "finish_refund")


def test_a_refund_of_which_nobody_knows(
    bank: Bank, placed: PlacedOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = pay(placed)
    monkeypatch.setattr(bank, "refund", lambda request: Answer(Outcome.UNKNOWN))
    refund = refund_of(payment)
    assert seen(person("finance", "early")) == [], "the janitor has some time"
    Refund.objects.update(asked_at=timezone.now() - OLD)
    repaired("refund_unknown", refund.public_id, "ask_provider", "support")


def test_a_refund_that_nobody_approves(bank: Bank, placed: PlacedOrder, settings: Any) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"CNY": 1_000}
    payment = pay(placed)
    asker = person("risk manager")
    refund = refund_of(payment, f"user:{asker.session['_auth_user_id']}")
    Refund.objects.update(created_at=timezone.now() - OLD)
    assert "still stuck" not in press(asker, "refund_unapproved", refund.public_id, "approve_refund")
    assert (selectors.refund(refund.public_id).state, bank.refunded) == ("AWAITING_APPROVAL", [])
    repaired("refund_unapproved", refund.public_id, "approve_refund")


def test_a_payment_of_which_nobody_knows(
    bank: Bank, placed: PlacedOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.starts = Outcome.UNKNOWN
    pay(placed)
    Attempt.objects.update(unknown_since=timezone.now() - OLD)
    attempt = Attempt.objects.get().public_id
    operator = person("support", "first")
    assert "it is still stuck" in press(operator, "payment_unknown", attempt, "ask_provider")
    monkeypatch.setattr(bank, "query", _taken)
    repaired("payment_unknown", attempt, "ask_provider", "support")
    assert state(placed) == "PAID"


@pytest.mark.parametrize(("do", "after"), [("capture", "SUCCEEDED"), ("release", "CANCELLED")])
def test_a_hold_about_to_lapse(bank: Bank, placed: PlacedOrder, settings: Any, do: str, after: str) -> None:
    settings.CAPTURE_ON_SHIPMENT = True
    payment = pay(placed)
    Payment.objects.update(held_until=timezone.now() + timedelta(hours=5))
    repaired("hold_lapsing", payment.id, do)
    assert selectors.payment(payment.id).state == after


def test_an_amount_that_is_not_ours(bank: Bank, placed: PlacedOrder, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = _mismatch(bank, placed)
    monkeypatch.setattr(
        bank,
        "query",
        lambda request: Answer(Outcome.SUCCEEDED, channel_reference="b", amount=Money(9_900, "CNY")),
    )
    operator = person("finance", "first")
    assert "still stuck" in press(operator, "mismatch", subject, "ask_provider")
    assert (state(placed), Payment.objects.get().amount_captured) == ("PENDING_PAYMENT", 0)
    monkeypatch.setattr(bank, "query", _taken)
    repaired("mismatch", subject, "ask_provider")
    assert state(placed) == "PAID"


def test_an_amount_that_is_not_ours_is_closed_and_never_applied(bank: Bank, placed: PlacedOrder) -> None:
    subject = _mismatch(bank, placed)
    form = {"do": "close_mismatch", "reason": "x"}
    address = f"/console/stuck/mismatch/{subject}/"
    assert person("risk manager").post(address, form).status_code == 403
    repaired("mismatch", subject, "close_mismatch")
    assert Payment.objects.get().amount_captured == 0


def _mismatch(bank: Bank, placed: PlacedOrder) -> str:
    bank.starts = Outcome.ACTION_REQUIRED
    pay(placed, method="alipay")
    with transaction.atomic(durable=True):
        told = Answer(Outcome.SUCCEEDED, channel_reference="b", amount=Money(9_900, "CNY"))
        apply_answer(attempt=Attempt.objects.get(), answer=told, source="notice")
    [subject] = seen(person("support", "watch"), kind="mismatch")
    return subject


def test_a_dead_notification(bank: Bank, placed: PlacedOrder) -> None:
    bank.starts = Outcome.ACTION_REQUIRED
    pay(placed, method="alipay")
    row = kept(Attempt.objects.get().public_id)
    row.bury("the database was away")
    row.store()
    repaired("notice_dead", row.public_id, "replay", "support")
    assert (state(placed), InboxEvent.objects.get().state) == ("PAID", "APPLIED")


def test_a_dead_event(bank: Bank, placed: PlacedOrder, settings: Any) -> None:
    settings.EVENT_SUBSCRIBERS = {"order.paid": [f"{__name__}.deaf"]}
    pay(placed)
    deliver_batch()
    row = OutboxDelivery.objects.get()
    while not row.dead_at:
        row.failed("deaf")
    row.store()
    assert OutboxEvent.objects.filter(name="order.paid").exists()
    repaired("event_dead", row.public_id, "replay", "support")


def deaf(event: str, payload: dict[str, Any]) -> None:
    raise ValueError("deaf")


def test_a_parcel_that_waits_for_its_money(
    bank: Bank, placed: PlacedOrder, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process was killed between packing and capturing."""
    settings.CAPTURE_ON_SHIPMENT = True
    pay(placed)
    monkeypatch.setattr(taking, "capture_payment", _killed)
    with pytest.raises(SystemExit):
        ship(placed)
    monkeypatch.undo()
    Shipment.objects.update(created_at=timezone.now() - OLD)
    repaired("shipment_waiting", Shipment.objects.get().public_id, "resume_shipment")
    assert Shipment.objects.get().state == "SENT" and len(bank.captured) == 1


_killed: Callable[..., None] = lambda **_: (_ for _ in ()).throw(SystemExit)  # noqa: E731
