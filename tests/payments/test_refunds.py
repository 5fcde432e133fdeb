"""Money back: never more than came, by the way it came, once per key."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.db.models import F

from ledger.errors import Refusal
from ledger.money import Money
from ledger.selectors import balance
from payments import selectors
from payments.channels.contract import Answer, Outcome
from payments.errors import PaymentNotRefundable, RefundExceedsCaptured, RefundKeyReused
from payments.models import OutboxEvent, Payment, Refund
from payments.services.apply_refund_answer import apply_refund_answer
from payments.services.carry_out_refund import carry_out_refund
from payments.services.finish_abnormal_refund import finish_abnormal_refund
from payments.services.queue_refund import queue_refund
from payments.services.request_refund import request_refund
from reconciliation.models import Discrepancy
from tests.channels.world import eventually
from tests.patience import PATIENCE
from tests.payments.conftest import Till
from tests.payments.desk import broken


def yuan(amount: str) -> Money:
    return Money.from_major(amount, "CNY")


def test_a_whole_refund_empties_the_books(till: Till) -> None:
    paid = till.pay("card")
    refund = request_refund(payment=paid.id, amount=None, reason="Changed my mind", actor="user:1", key="r1")

    assert (refund.state, refund.amount) == ("SUCCEEDED", paid.amount)
    after = selectors.payment(paid.id)
    assert (after.state, after.refunded, after.refundable.minor) == ("SUCCEEDED", paid.amount, 0)
    assert balance("receivable:stripe", "CNY").minor == 0
    assert balance("customer_prepayments", "CNY").minor == 0
    assert till.at_provider(paid)["refunded"] == 10_000


@pytest.mark.parametrize("method", ["alipay", "wechat_pay"])
def test_a_wallet_refund_in_parts(till: Till, method: str) -> None:
    payment = till.pay(method)
    till.customer(payment, "pay")
    till.wait_for(payment, "SUCCEEDED")

    for number, part in enumerate(("30.00", "70.00")):
        refund = request_refund(
            payment=payment.id, amount=yuan(part), reason="Part", actor="user:1", key=f"r{number}"
        )
        till_done(refund.id)

    assert selectors.payment(payment.id).refunded == payment.amount


def till_done(refund: str) -> None:
    """Time passes, and the janitor comes round."""
    for _ in range(3):
        if selectors.refund(refund).state == "SUCCEEDED":
            return
        Refund.objects.update(checks=1, asked_at=F("asked_at") - timedelta(minutes=2))
        carry_out_refund(refund=refund)
    assert selectors.refund(refund).state == "SUCCEEDED"


def test_a_refund_that_the_customers_bank_refuses_is_finished_by_a_person(till: Till) -> None:
    """WeChat Pay's ABNORMAL; the sandbox says it of 666.72 yuan."""
    payment = till.pay("wechat_pay", fen=100_000)
    till.customer(payment, "pay")
    till.wait_for(payment, "SUCCEEDED")
    refund = request_refund(
        payment=payment.id, amount=yuan("666.72"), reason="Part", actor="user:1", key="abnormal"
    )
    eventually(lambda: selectors.refund(refund.id).code == "ABNORMAL")
    assert [one.id for one in selectors.refunds_needing_a_person()] == [refund.id]

    finish_abnormal_refund(refund=refund.id, actor="user:2", reason="Paid by bank, T-1")

    till_done(refund.id)
    assert selectors.refunds_needing_a_person() == []
    assert selectors.payment(payment.id).refunded == yuan("666.72")
    assert broken() == []


def test_refusals_move_nothing(till: Till) -> None:
    paid = till.pay("card")
    qr = till.pay("alipay")
    request_refund(payment=paid.id, amount=yuan("40"), reason="Part", actor="user:1", key="first")

    for amount in (yuan("60.01"), Money(0, "CNY"), Money(-1, "CNY"), Money(100, "USD")):
        with pytest.raises(RefundExceedsCaptured):
            request_refund(
                payment=paid.id, amount=amount, reason="More", actor="user:1", key=f"k{amount.minor}"
            )
    with pytest.raises(PaymentNotRefundable):
        request_refund(payment=qr.id, amount=None, reason="Unpaid", actor="user:1", key="unpaid")
    with pytest.raises(RefundKeyReused):
        request_refund(payment=paid.id, amount=yuan("41"), reason="Part", actor="user:1", key="first")

    assert Refund.objects.count() == 1
    assert selectors.payment(paid.id).refunded == yuan("40")
    assert till.at_provider(paid)["refunded"] == 4_000


def test_the_same_key_is_the_same_refund(till: Till) -> None:
    paid = till.pay("card")
    first, second = (
        request_refund(payment=paid.id, amount=yuan("40"), reason="Part", actor="user:1", key="once")
        for _ in range(2)
    )
    assert first.id == second.id
    assert selectors.payment(paid.id).refunded == yuan("40")


def test_a_refund_whose_answer_was_lost_is_found_done_once(till: Till) -> None:
    paid = till.pay("card")
    till.sandbox.fault("/stripe/v1/refunds", "drop_after", method="POST")
    lost = request_refund(payment=paid.id, amount=yuan("40"), reason="Part", actor="user:1", key="lost")
    assert lost.state == "UNKNOWN"
    assert selectors.payment(paid.id).refundable == yuan("60"), "what may be gone can not be promised again"

    till_done(lost.id)

    assert till.at_provider(paid)["refunded"] == 4_000
    assert balance("customer_prepayments", "CNY") == Money(-6_000, "CNY")


AT_ONCE = 50
TEN = yuan("10")


def at_once(work: Callable[[int], str]) -> list[str]:
    def closing(number: int) -> str:
        try:
            return work(number)
        except Refusal as refusal:
            return refusal.code
        except IntegrityError as refused:
            return str(refused).split(":")[0]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(AT_ONCE // 2) as pool:
        return sorted(pool.map(closing, range(AT_ONCE)))


@pytest.fixture
def without_guards(transactional_db: None) -> Iterator[None]:
    """The table as it would be if it trusted its callers."""
    check = "payment_refunds_within_captured"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [check])
        definition = cursor.fetchone()[0]
        cursor.execute(f"ALTER TABLE payments_payment DROP CONSTRAINT {check}")
        cursor.execute("ALTER TABLE payments_payment DISABLE TRIGGER USER")
    yield
    with connection.cursor() as cursor:
        cursor.execute("UPDATE payments_payment SET amount_refunding = 0")
        cursor.execute("ALTER TABLE payments_payment ENABLE TRIGGER USER")
        cursor.execute(f"ALTER TABLE payments_payment ADD CONSTRAINT {check} {definition}")


def looked_then_promised(payment: str, together: Barrier) -> str:
    """What a careless program does: it looks, then writes."""
    left = selectors.payment(payment).refundable
    if together.parties > 1:
        together.wait(PATIENCE)
    if left.minor < TEN.minor:
        return "refused"
    Payment.objects.by_public_id(payment).update(amount_refunding=F("amount_refunding") + TEN.minor)
    return "promised"


def test_without_the_guards_fifty_at_once_promise_more_than_was_captured(
    till: Till, without_guards: None
) -> None:
    paid = till.pay("card")
    together = Barrier(AT_ONCE // 2)
    at_once(lambda _: looked_then_promised(paid.id, together))
    assert Payment.objects.get().amount_refunding > Payment.objects.get().amount_captured


def test_the_table_stops_even_the_careless_program(till: Till) -> None:
    paid = till.pay("card")
    outcomes = at_once(lambda _: looked_then_promised(paid.id, Barrier(1)))
    assert outcomes.count("promised") == 10
    assert Payment.objects.get().amount_refunding == Payment.objects.get().amount_captured


def test_fifty_refunds_at_once_never_exceed_what_was_captured(till: Till) -> None:
    """50 refunds of 10 yuan of a payment of 100: ten go through."""
    paid = till.pay("card")

    def ask(number: int) -> str:
        key = f"race{number}"
        request_refund(payment=paid.id, amount=TEN, reason="Race", actor="user:1", key=key)
        return "refunded"

    outcomes = at_once(ask)

    assert outcomes == ["refund_exceeds_captured"] * 40 + ["refunded"] * 10
    for refund in Refund.objects.all():
        till_done(refund.public_id)
    assert till.at_provider(paid)["refunded"] == 10_000
    assert broken() == []


def test_the_table_refuses_more_than_was_captured_even_without_the_service(till: Till) -> None:
    paid = till.pay("card")
    with pytest.raises(Exception, match="not enough left for another refund"), connection.cursor() as cursor:
        cursor.execute("UPDATE payments_payment SET amount_refunding = 10001")
    assert selectors.payment(paid.id).refundable == paid.amount


@pytest.fixture
def refunded(till: Till) -> Refund:
    """40 of 100 yuan, done."""
    paid = till.pay("card")
    request_refund(payment=paid.id, amount=yuan("40"), reason="Part", actor="user:1", key="r1")
    return Refund.objects.get()


def told(refund: Refund, outcome: Outcome) -> None:
    with transaction.atomic():
        apply_refund_answer(refund=refund, answer=Answer(outcome, code="lost_or_stolen_card"))


def test_a_refund_that_the_bank_sends_back_later_did_not_happen(refunded: Refund) -> None:
    """Stripe says "succeeded", and days later that the bank could not take it: the money is ours again."""
    for _ in range(2):
        told(refunded, Outcome.DECLINED)

    payment = selectors.payment(refunded.payment.public_id)
    assert selectors.refund(refunded.public_id).state == "FAILED"
    assert (payment.refunded, payment.refundable) == (yuan("0"), yuan("100"))
    assert balance("receivable:stripe", "CNY") == yuan("100")
    assert OutboxEvent.objects.filter(name="refund.failed").count() == 1
    assert broken() == []

    told(refunded, Outcome.SUCCEEDED)
    assert selectors.refund(refunded.public_id).state == "FAILED", "the older news, late"
    again = request_refund(payment=payment.id, amount=yuan("60"), reason="Again", actor="user:1", key="r2")
    assert (again.state, broken()) == ("SUCCEEDED", [])


def refused(till: Till) -> Refund:
    """A refund that its channel refused, as it seemed."""
    paid = till.pay("card")
    with transaction.atomic():
        queue_refund(payment=paid.id, amount=yuan("40"), reason="Part", actor="user:1", key="r1")
        refund = Refund.objects.get()
        refund.process()
        refund.store()
        apply_refund_answer(refund=refund, answer=Answer(Outcome.ERRORED, code="busy"))
    assert selectors.refund(refund.public_id).state == "FAILED"
    return refund


def test_a_success_after_a_refusal_is_asked_about_before_the_money_is_promised_again(till: Till) -> None:
    refund = refused(till)

    told(refund, Outcome.SUCCEEDED)

    assert selectors.refund(refund.public_id).state == "UNKNOWN"
    assert selectors.payment(refund.payment.public_id).refundable == yuan("60")
    till_done(refund.public_id)
    assert selectors.payment(refund.payment.public_id).refunded == yuan("40")
    assert broken() == []


def test_a_success_after_a_refusal_when_the_money_was_returned_in_another_way(
    till: Till, settings: Any
) -> None:
    settings.EVENT_HANDLERS = {"payment.mismatched": ["reconciliation.handlers.payment_mismatched"]}
    refund = refused(till)
    request_refund(payment=refund.payment.public_id, amount=None, reason="Again", actor="user:1", key="r2")

    told(refund, Outcome.SUCCEEDED)

    assert selectors.refund(refund.public_id).state == "FAILED"
    [mismatch] = OutboxEvent.objects.filter(name="payment.mismatched")
    assert (mismatch.payload["told_amount"], mismatch.payload["source"]) == (4_000, "refund")
    assert Discrepancy.objects.get().amount_at_risk == 4_000
    assert broken() == []
