"""What providers tell us, over HTTP: genuine news is applied once, everything else changes nothing."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from django.test import Client

from ledger.money import Money
from ledger.selectors import transactions_of
from payments import selectors
from payments.channels import registry
from payments.channels.contract import Answer, Notice, NoticeKind, Outcome
from payments.models import InboxEvent, OutboxEvent, Payment
from payments.selectors import PaymentView
from payments.services import apply_notice as applying
from payments.services.cancel_payment import cancel_payment
from payments.tasks import retry_inbox
from tests.channels.world import STRANGER, eventually
from tests.payments.conftest import Till


def moved() -> tuple[Any, ...]:
    """Everything that a refused notification must leave alone."""
    return (
        list(Payment.objects.values_list("state", "amount_captured")),
        OutboxEvent.objects.filter(name="payment.succeeded").count(),
        InboxEvent.objects.filter(state="APPLIED").count(),
    )


@pytest.mark.parametrize("channel", ["stripe", "alipay", "wechat"])
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"null", b"[]", b"\xff\xfe", b"sign=x&out_trade_no=y", b"{" * 5000]
)
def test_garbage_is_a_client_error(till: Till, live_server: Any, channel: str, body: bytes) -> None:
    waiting = till.pay("alipay")
    before = moved()
    answer = STRANGER.post(f"{live_server.url}/webhooks/{channel}", content=body)
    assert 400 <= answer.status_code < 500, answer.text
    assert moved() == before
    assert selectors.payment(waiting.id).state == "REQUIRES_ACTION"


def test_a_channel_without_credentials_is_none(client: Client) -> None:
    answer = client.post("/webhooks/wechat", b"{}", content_type="application/json")
    assert (answer.status_code, answer.json()) == (404, {"code": "channel_not_found"})


def test_a_channel_that_is_none(till: Till, live_server: Any) -> None:
    assert STRANGER.post(f"{live_server.url}/webhooks/cash", content=b"{}").status_code == 404
    assert STRANGER.get(f"{live_server.url}/webhooks/stripe").status_code == 405


@pytest.mark.parametrize("method", ["alipay", "wechat_pay"])
def test_the_same_notification_five_times_at_once_is_applied_once(
    till: Till, live_server: Any, method: str
) -> None:
    payment = till.pay(method)
    till.customer(payment, "pay")
    till.wait_for(payment, "SUCCEEDED")
    deliveries = till.sandbox.deliveries(till.at_provider(payment)["id"])

    with ThreadPoolExecutor(5) as pool:
        again = [f"/control/deliveries/{deliveries[0]['id']}/resend"] * 5
        list(pool.map(lambda path: till.sandbox.ask("POST", path), again))

    assert len(transactions_of(payment.reference)) == 1
    assert OutboxEvent.objects.filter(subject=payment.reference, name="payment.succeeded").count() == 1
    assert InboxEvent.objects.filter(reference=till.attempt(payment)).count() == 1


@pytest.fixture
def told(till: Till, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Deliver a notification that verifies and says what the test wants; the signature itself is tested elsewhere."""

    def deliver(live_server: Any, notice: Notice) -> httpx.Response:
        alipay = registry.channel("alipay")
        monkeypatch.setattr(type(alipay), "read_notice", lambda *_: notice)
        return STRANGER.post(f"{live_server.url}/webhooks/alipay", content=b"signed")

    return deliver


def paid_notice(reference: str, amount: Money, event: str = "e1") -> Notice:
    return Notice(event, NoticeKind.PAYMENT, reference, Answer(Outcome.SUCCEEDED, amount=amount))


@pytest.mark.parametrize("amount", [Money(1, "CNY"), Money(10_001, "CNY"), Money(10_000, "USD")])
def test_another_amount_or_currency_is_never_applied(
    till: Till, live_server: Any, told: Any, amount: Money
) -> None:
    payment = till.pay("alipay")
    notice = paid_notice(till.attempt(payment), amount)

    first, second = told(live_server, notice), told(live_server, notice)

    assert (first.status_code, second.status_code) == (422, 422)
    assert selectors.payment(payment.id).state == "REQUIRES_ACTION"
    assert transactions_of(payment.reference) == []
    [mismatch] = OutboxEvent.objects.filter(name="payment.mismatched")
    assert (mismatch.payload["told_amount"], mismatch.payload["told_currency"]) == (
        amount.minor,
        amount.currency,
    )


@pytest.mark.parametrize("reference", ["att_" + "0" * 26, "order-17", ""])
def test_a_payment_that_we_never_asked_for(till: Till, live_server: Any, told: Any, reference: str) -> None:
    answer = told(live_server, paid_notice(reference, Money(10_000, "CNY")))
    assert answer.status_code == 404
    assert InboxEvent.objects.get().state == "DEAD", "a person should look at it"
    assert not Payment.objects.exists()


def test_one_providers_word_about_anothers_payment_is_not_believed(
    till: Till, live_server: Any, told: Any
) -> None:
    shown = till.pay("wechat_pay")

    answer = told(live_server, paid_notice(till.attempt(shown), shown.amount))

    assert (answer.status_code, InboxEvent.objects.get().state) == (404, "DEAD")
    assert selectors.payment(shown.id).state == "REQUIRES_ACTION"
    assert transactions_of(shown.reference) == []


def test_a_refusal_after_the_success_changes_nothing(till: Till, live_server: Any, told: Any) -> None:
    payment = till.pay("alipay")
    reference = till.attempt(payment)
    told(live_server, paid_notice(reference, Money(10_000, "CNY")))
    late = Notice("e2", NoticeKind.PAYMENT, reference, Answer(Outcome.DECLINED, code="late"))
    assert told(live_server, late).status_code == 200
    after = selectors.payment(payment.id)
    assert (after.state, after.failure_code) == ("SUCCEEDED", "")


def test_a_success_after_the_close_is_believed(till: Till, live_server: Any, told: Any) -> None:
    payment = till.pay("alipay")
    cancel_payment(payment=payment.id, actor="cus_1", reason="customer")
    assert told(live_server, paid_notice(till.attempt(payment), payment.amount)).status_code == 200
    assert selectors.payment(payment.id).state == "SUCCEEDED"


def test_a_success_after_another_payment_counts_goes_back(till: Till, live_server: Any, told: Any) -> None:
    closed = till.pay("alipay")
    paid = till.pay("card", reference=closed.reference)
    assert paid.state == "SUCCEEDED"

    assert told(live_server, paid_notice(till.attempt(closed), closed.amount)).status_code == 200

    surplus: PaymentView = selectors.payment(closed.id)
    assert (surplus.state, surplus.surplus, surplus.refundable.minor) == ("SUCCEEDED", True, 0)
    [refund] = selectors.refunds_of(closed.id)
    assert refund.amount == closed.amount
    assert selectors.payment(paid.id).surplus is False


def test_what_can_not_be_applied_now_is_kept_and_applied_later(
    till: Till, live_server: Any, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = till.pay("alipay")
    with monkeypatch.context() as broken:

        def fail(**_: Any) -> None:
            raise RuntimeError("disk full")

        broken.setattr(applying, "apply_answer", fail)
        answer = told(live_server, paid_notice(till.attempt(payment), payment.amount))
    assert answer.status_code == 503
    row = InboxEvent.objects.get()
    assert (row.state, "disk full" in row.error) == ("FAILED", True)
    assert json.dumps(row.notice)

    InboxEvent.objects.update(next_try_at=row.received_at)
    assert eventually(retry_inbox) == 1
    assert selectors.payment(payment.id).state == "SUCCEEDED"
