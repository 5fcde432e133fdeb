"""Refunds that failed: tried again under the right key, settled by hand, or closed; and who goes first."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from ledger.money import Money
from ledger.selectors import balance
from payments import selectors
from payments.channels import registry
from payments.channels.codec import notice_to_json
from payments.channels.contract import Answer, Capability, MovementRequest, Notice, NoticeKind, Outcome
from payments.errors import (
    ChannelNotReachable,
    HandSettlementInvalid,
    RefundExceedsCaptured,
    RefundLimitReached,
    RefundNotFailed,
    RefundNotFinishable,
    RefundWindowOver,
    SecondPersonNeeded,
)
from payments.models import InboxEvent, OutboxEvent, Payment, Refund
from payments.models.refund import movement_of
from payments.rules import REFUND_RULES, RefundRules
from payments.selectors import RefundView
from payments.services.apply_notice import apply_notice
from payments.services.approve_refund import approve_refund
from payments.services.carry_out_refund import carry_out_refund
from payments.services.close_refund import close_refund
from payments.services.finish_abnormal_refund import finish_abnormal_refund
from payments.services.reject_refund import reject_refund
from payments.services.request_refund import request_refund
from payments.services.retry_refund import retry_refund
from payments.services.settle_refund_by_hand import settle_refund_by_hand
from tests.payments.desk import broken, opened, tell

FORTY = Money(4_000, "CNY")
FAILED_AT_THE_BANK = Answer(Outcome.DECLINED, code="lost_or_stolen_card")


class Provider:
    """It says of each movement what a test told it to, and knows by which key it was asked."""

    code = "stripe"
    capabilities = frozenset({Capability.REFUND, Capability.ABNORMAL_REFUND})

    def __init__(self) -> None:
        self.refunds: list[str] = []
        self.answer = Answer(Outcome.SUCCEEDED, amount=FORTY)
        self.query = Answer(Outcome.NOT_FOUND)

    def refund(self, request: MovementRequest) -> Answer:
        assert request.key == request.movement_reference
        self.refunds.append(request.key)
        return self.answer

    def query_refund(self, request: MovementRequest) -> Answer:
        return self.query

    def finish_abnormal_refund(self, request: MovementRequest) -> Answer:
        return Answer(Outcome.SUCCEEDED, amount=request.amount)


@pytest.fixture
def provider(transactional_db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Provider:
    settings.EVENT_HANDLERS = {}
    built = Provider()
    monkeypatch.setattr(registry, "channel", lambda code: built)
    return built


@pytest.fixture
def payment(provider: Provider) -> Payment:
    attempt = opened()
    tell(attempt, Outcome.SUCCEEDED)
    return Payment.objects.get()


def ask(payment: Payment, key: str = "r1", amount: Money = FORTY) -> RefundView:
    return request_refund(payment=payment.public_id, amount=amount, reason="Broken", actor="user:1", key=key)


def failed(provider: Provider, payment: Payment, how: Answer) -> RefundView:
    provider.answer = how
    refund = ask(payment)
    provider.answer = Answer(Outcome.SUCCEEDED, amount=FORTY)
    assert (refund.state, refund.needs_person) == ("FAILED", True)
    return refund


def told(refund: RefundView, answer: Answer, reference: str = "") -> None:
    """The channel's notification, through the inbox."""
    notice = Notice(
        f"evt_{InboxEvent.objects.count()}", NoticeKind.REFUND, "", answer, reference or refund.id
    )
    row = InboxEvent.objects.create(
        channel="stripe", event_id=notice.event_id, notice=notice_to_json(notice), body=b"{}"
    )
    apply_notice(inbox=row)


def test_what_never_happened_goes_out_under_the_same_key(provider: Provider, payment: Payment) -> None:
    refund = failed(provider, payment, Answer(Outcome.ERRORED, code="insufficient_funds"))

    again = retry_refund(refund=refund.id, actor="user:1", reason="There is money now")

    assert again.state == "SUCCEEDED"
    assert provider.refunds == [refund.id, refund.id]
    assert broken() == []


def test_what_is_proven_to_have_ended_gets_a_key_of_its_own(provider: Provider, payment: Payment) -> None:
    """Stripe's failed refund is final: the money can only go out as another refund."""
    refund = ask(payment)
    told(refund, FAILED_AT_THE_BANK)
    provider.query = FAILED_AT_THE_BANK

    again = retry_refund(refund=refund.id, actor="user:1", reason="A new card")

    assert again.state == "SUCCEEDED"
    assert provider.refunds == [refund.id, f"{refund.id}_2"]
    assert all(len(key) <= 40 and key.replace("_", "").isalnum() for key in provider.refunds)
    assert movement_of(provider.refunds[1]) == (refund.id, 2)
    payment.refresh_from_db()
    assert (payment.amount_refunded, payment.amount_refunding) == (4_000, 0)
    assert balance("receivable:stripe", "CNY").minor == 6_000
    assert broken() == []

    told(refund, Answer(Outcome.SUCCEEDED, amount=FORTY))
    assert selectors.refund(refund.id).state == "SUCCEEDED", "older news of the first try, posted and undone"
    assert broken() == []
    told(refund, FAILED_AT_THE_BANK, f"{refund.id}_2")
    assert selectors.refund(refund.id).state == "FAILED", "the second try came back, too"
    assert balance("receivable:stripe", "CNY").minor == 10_000
    assert broken() == []


def test_news_of_a_given_up_try_is_for_a_person(provider: Provider, payment: Payment) -> None:
    refund = failed(provider, payment, FAILED_AT_THE_BANK)
    provider.query = FAILED_AT_THE_BANK
    assert retry_refund(refund=refund.id, actor="user:1").state == "SUCCEEDED"

    told(refund, Answer(Outcome.SUCCEEDED, amount=FORTY))

    [mismatch] = OutboxEvent.objects.filter(name="payment.mismatched")
    assert (mismatch.payload["told_amount"], mismatch.payload["source"]) == (4_000, "refund")
    payment.refresh_from_db()
    assert payment.amount_refunded == 4_000
    assert InboxEvent.objects.get().state == "DEAD"
    assert broken() == []


def test_news_of_a_try_that_never_was_changes_nothing(provider: Provider, payment: Payment) -> None:
    refund = ask(payment)
    told(refund, FAILED_AT_THE_BANK, f"{refund.id}_2")
    assert InboxEvent.objects.get().error == "unknown_reference"
    assert selectors.refund(refund.id).state == "SUCCEEDED"


def test_trying_again_finds_what_happened_after_all(provider: Provider, payment: Payment) -> None:
    refund = failed(provider, payment, Answer(Outcome.ERRORED, code="busy"))
    provider.query = Answer(Outcome.SUCCEEDED, amount=FORTY)

    assert retry_refund(refund=refund.id, actor="user:1").state == "UNKNOWN"
    Refund.objects.update(checks=1)
    carry_out_refund(refund=refund.id)

    assert selectors.refund(refund.id).state == "SUCCEEDED"
    assert provider.refunds == [refund.id], "nothing was sent again"
    assert broken() == []


def test_trying_again_is_refused_and_moves_nothing(provider: Provider, payment: Payment) -> None:
    refund = failed(provider, payment, Answer(Outcome.ERRORED, code="busy"))
    provider.query = Answer(Outcome.UNKNOWN)
    with pytest.raises(ChannelNotReachable):
        retry_refund(refund=refund.id, actor="user:1")
    provider.query = Answer(Outcome.NOT_FOUND)
    provider.answer = Answer(Outcome.SUCCEEDED, amount=Money(7_000, "CNY"))
    ask(payment, "r2", Money(7_000, "CNY"))
    with pytest.raises(RefundExceedsCaptured):
        retry_refund(refund=refund.id, actor="user:1")
    with pytest.raises(RefundExceedsCaptured):
        settle_refund_by_hand(refund=refund.id, account="main", reference="T1", actor="user:1")
    close_refund(refund=refund.id, actor="user:1", reason="Paid otherwise")
    with pytest.raises(RefundNotFailed):
        retry_refund(refund=refund.id, actor="user:1")
    with pytest.raises(RefundNotFailed):
        close_refund(refund=refund.id, actor="user:1", reason="Again")
    with pytest.raises(RefundNotFailed):
        settle_refund_by_hand(refund=refund.id, account="main", reference="T1", actor="user:1")
    assert len(provider.refunds) == 2
    assert selectors.refunds_needing_a_person() == []
    assert broken() == []


def test_money_paid_by_bank_is_booked_when_a_second_person_agrees(
    provider: Provider, payment: Payment
) -> None:
    refund = failed(provider, payment, FAILED_AT_THE_BANK)
    for account, reference in (("", "T1"), ("a b", "T1"), ("main", " "), ("main", "x" * 101)):
        with pytest.raises(HandSettlementInvalid):
            settle_refund_by_hand(refund=refund.id, account=account, reference=reference, actor="user:2")

    said = settle_refund_by_hand(refund=refund.id, account="main", reference="T-77", actor="user:2")

    assert said.state == "AWAITING_APPROVAL"
    assert selectors.payment(payment.public_id).refundable.minor == 6_000
    for own in ("user:1", "user:2"):
        with pytest.raises(SecondPersonNeeded):
            approve_refund(refund=refund.id, actor=own)
    assert balance("bank:main", "CNY").minor == 0

    done = approve_refund(refund=refund.id, actor="user:3")

    assert (done.state, done.hand_reference, done.needs_person) == ("SUCCEEDED", "T-77", False)
    assert balance("bank:main", "CNY").minor == -4_000
    assert balance("receivable:stripe", "CNY").minor == 10_000
    assert balance("customer_prepayments", "CNY").minor == -6_000
    assert provider.refunds == [refund.id]
    [moved] = selectors.money_by_attempt()
    assert moved.refunded == 0, "the channel moved nothing"
    assert broken() == []

    told(refund, Answer(Outcome.SUCCEEDED, amount=FORTY))
    assert OutboxEvent.objects.filter(name="payment.mismatched").count() == 1, "returned twice"
    assert broken() == []


def test_what_was_not_paid_by_bank_after_all_still_needs_a_person(
    provider: Provider, payment: Payment
) -> None:
    refund = failed(provider, payment, FAILED_AT_THE_BANK)
    settle_refund_by_hand(refund=refund.id, account="main", reference="T-77", actor="user:2")
    after = reject_refund(refund=refund.id, actor="user:3", reason="No such transfer")
    assert (after.state, after.hand_reference, after.needs_person) == ("FAILED", "", True)
    assert selectors.payment(payment.public_id).refundable.minor == 10_000
    assert broken() == []


def test_the_channel_did_it_while_somebody_paid_by_bank(provider: Provider, payment: Payment) -> None:
    refund = failed(provider, payment, Answer(Outcome.ERRORED, code="busy"))
    settle_refund_by_hand(refund=refund.id, account="main", reference="T-77", actor="user:2")

    told(refund, Answer(Outcome.SUCCEEDED, amount=FORTY))

    assert selectors.refund(refund.id).state == "UNKNOWN", (
        "the channel is asked before anybody books a transfer"
    )
    assert broken() == []


def test_a_surplus_that_failed_to_go_back_is_on_the_list(provider: Provider, payment: Payment) -> None:
    Payment.objects.update(surplus=True)
    refund = failed(provider, payment, FAILED_AT_THE_BANK)
    assert [one.id for one in selectors.refunds_needing_a_person()] == [refund.id]
    provider.query = FAILED_AT_THE_BANK
    assert retry_refund(refund=refund.id, actor="user:1").state == "SUCCEEDED"


def test_an_abnormal_refund_is_finished_by_a_person(provider: Provider, payment: Payment) -> None:
    provider.answer = Answer(Outcome.PENDING, code="ABNORMAL", message="The account is closed")
    refund = ask(payment)
    assert (refund.state, refund.code, refund.needs_person) == ("PROCESSING", "ABNORMAL", True)
    assert [one.id for one in selectors.refunds_needing_a_person()] == [refund.id]

    provider.capabilities = frozenset({Capability.REFUND})
    with pytest.raises(RefundNotFinishable):
        finish_abnormal_refund(refund=refund.id, actor="user:1")
    provider.capabilities = Provider.capabilities
    done = finish_abnormal_refund(refund=refund.id, actor="user:1")

    assert (done.state, done.code, selectors.refunds_needing_a_person()) == ("SUCCEEDED", "", [])
    with pytest.raises(RefundNotFinishable):
        finish_abnormal_refund(refund=refund.id, actor="user:1")
    assert broken() == []


def test_refunds_of_one_payment_keep_the_channels_distance(
    provider: Provider, payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = {**REFUND_RULES, "stripe": RefundRules(apart=timedelta(seconds=60))}
    monkeypatch.setattr("payments.rules.REFUND_RULES", rules)
    first, second = ask(payment, "r1"), ask(payment, "r2")
    assert (first.state, second.state) == ("SUCCEEDED", "REQUESTED")
    due = Refund.objects.get(business_key="r2").next_check_at
    assert due and due > timezone.now() + timedelta(seconds=50)

    Refund.objects.update(asked_at=F("asked_at") - timedelta(seconds=61))
    carry_out_refund(refund=second.id)

    assert selectors.refund(second.id).state == "SUCCEEDED"
    assert provider.refunds == [first.id, second.id]


def test_nothing_more_goes_out_while_one_is_unclear(provider: Provider, payment: Payment) -> None:
    provider.answer = Answer(Outcome.UNKNOWN)
    first = ask(payment, "r1")
    second = ask(payment, "r2")
    assert (first.state, second.state) == ("UNKNOWN", "REQUESTED")
    assert provider.refunds == [first.id]


def test_limits_refuse_before_anything_moves(provider: Provider) -> None:
    tell(opened("wechat_pay"), Outcome.SUCCEEDED)
    payment = Payment.objects.get()
    assert REFUND_RULES["wechat"].at_most == 50
    with transaction.atomic():
        Payment.objects.update(amount_refunding=50)
        Refund.objects.bulk_create(
            Refund(payment=payment, business_key=f"b{n}", currency="CNY", amount=1, requested_by="user:1")
            for n in range(50)
        )
    with pytest.raises(RefundLimitReached):
        ask(payment)
    Payment.objects.update(created_at=timezone.now() - timedelta(days=366))
    with pytest.raises(RefundWindowOver):
        ask(payment)
    assert Refund.objects.count() == 50 and provider.refunds == []
    assert selectors.payment(payment.public_id).refundable.minor == 9_950
