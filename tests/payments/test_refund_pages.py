"""The console's pages of refunds: what waits for whom, and one button each."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from payments import selectors
from payments.channels import registry
from payments.channels.contract import Answer, Outcome
from payments.models import Payment, Refund
from payments.services.request_refund import request_refund
from tests.payments.desk import opened, tell
from tests.payments.test_refunds_again import FAILED_AT_THE_BANK, FORTY, Provider

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def provider(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Provider:
    settings.EVENT_HANDLERS = {}
    settings.REFUND_APPROVAL_ABOVE = {"CNY": 3_000}
    built = Provider()
    monkeypatch.setattr(registry, "channel", lambda code: built)
    return built


@pytest.fixture
def payment(provider: Provider) -> Payment:
    tell(opened(), Outcome.SUCCEEDED)
    return Payment.objects.get()


def person(name: str, *rights: str) -> tuple[Client, str]:
    user = User.objects.create_user(name, is_staff=True, first_name=name.title())
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_refund", "view_payment", *rights])
    )
    client = Client()
    client.force_login(user)
    return client, f"user:{user.pk}"


def ask(payment: Payment, actor: str = "user:0", key: str = "r1") -> str:
    return request_refund(
        payment=payment.public_id, amount=FORTY, reason="Chipped lid", actor=actor, key=key
    ).id


def test_from_the_form_through_the_queue_to_the_money(provider: Provider, payment: Payment) -> None:
    sam, _ = person("sam", "request_refund")
    fay, fays = person("fay", "request_refund", "approve_refund")
    form_page = f"/console/payments/refunds/of/{payment.public_id}/"
    page = sam.get(form_page).text
    assert "At most CN¥100.00 of CN¥100.00 can be refunded now." in page
    form = {"key": "k" * 32, "amount": "40.00", "reason": "Chipped lid"}
    for _ in range(2):
        asked = sam.post(form_page, form)
    refund = Refund.objects.get()
    assert asked["Location"] == f"/console/payments/refunds/{refund.public_id}/"
    assert (refund.state, refund.amount) == ("AWAITING_APPROVAL", 4_000)

    queue = fay.get("/console/payments/refunds/").text
    assert all(words in queue for words in ("CN¥40.00", "Sam", "Chipped lid"))
    own = sam.get(asked["Location"]).text
    assert "a second person has to approve it" in own and 'data-testid="approve"' not in own
    assert 'data-testid="approve"' in fay.get(asked["Location"]).text
    said = fay.post(asked["Location"], {"do": "approve", "reason": ""}, follow=True).text
    assert "Say why" in said and provider.refunds == []
    fay.post(asked["Location"], {"do": "approve", "reason": "Seen it"})

    refund.refresh_from_db()
    assert (refund.state, refund.approved_by) == ("SUCCEEDED", fays)
    assert "Nothing waits for a person." in fay.get("/console/payments/refunds/").text


@pytest.mark.parametrize("amount", ["0", "-1", "100.01", "x", "1.234"])
def test_nonsense_is_refused_in_the_form(provider: Provider, payment: Payment, amount: str) -> None:
    sam, _ = person("sam", "request_refund")
    form = {"key": "k" * 32, "amount": amount, "reason": "Chipped lid"}
    answer = sam.post(f"/console/payments/refunds/of/{payment.public_id}/", form)
    assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert not Refund.objects.exists()


def test_rights_are_kept(provider: Provider, payment: Payment) -> None:
    looking, _ = person("looking")
    asking, _ = person("asking", "request_refund")
    refund = ask(payment)
    address = f"/console/payments/refunds/{refund}/"
    assert looking.get(address).status_code == 200
    assert looking.get(f"/console/payments/refunds/of/{payment.public_id}/").status_code == 403
    for client, do in ((looking, "approve"), (asking, "approve"), (asking, "reject"), (looking, "retry")):
        assert client.post(address, {"do": do, "reason": "x"}).status_code == 403
    assert asking.post(address, {"do": "nothing", "reason": "x"}).status_code == 404
    assert asking.get("/console/payments/refunds/ref_1/").status_code == 404
    assert Client().get(address).status_code == 302
    assert selectors.refund(refund).state == "AWAITING_APPROVAL"


def test_ways_out_of_a_failure(provider: Provider, payment: Payment, settings: Any) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"CNY": 9_000}
    fay, _ = person("fay", "request_refund", "approve_refund")
    max_, _ = person("max", "request_refund", "approve_refund")
    provider.answer = FAILED_AT_THE_BANK
    refund = ask(payment)
    address = f"/console/payments/refunds/{refund}/"
    page = fay.get(address).text
    assert all(f'data-testid="{way}"' in page for way in ("retry", "close", "by-hand"))
    assert "lost_or_stolen_card" in fay.get("/console/payments/refunds/").text

    fay.post(address, {"do": "by_hand", "reason": "Card lost", "account": "main", "reference": "T-77"})
    assert "paid by bank, T-77" in max_.get("/console/payments/refunds/").text
    assert 'data-testid="approve"' not in fay.get(address).text
    max_.post(address, {"do": "approve", "reason": "On the statement"})
    assert selectors.refund(refund).state == "SUCCEEDED"

    second = ask(payment, key="r2")
    fay.post(f"/console/payments/refunds/{second}/", {"do": "close", "reason": "A voucher instead"})
    assert selectors.refunds_needing_a_person() == []


def test_an_abnormal_refund_has_its_button_where_the_channel_can(
    provider: Provider, payment: Payment, settings: Any
) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"CNY": 9_000}
    fay, _ = person("fay", "request_refund")
    provider.answer = Answer(Outcome.PENDING, code="ABNORMAL")
    refund = ask(payment)
    address = f"/console/payments/refunds/{refund}/"
    assert 'data-testid="finish"' in fay.get(address).text
    provider.capabilities = frozenset()
    assert "own console" in fay.get(address).text
    provider.capabilities = Provider.capabilities
    fay.post(address, {"do": "finish", "reason": "The account is closed"})
    assert selectors.refund(refund).state == "SUCCEEDED"


def test_the_records_lead_to_the_pages(provider: Provider, payment: Payment) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    refund = ask(payment)
    row = f"/console/payments/refund/{Refund.objects.get().pk}/change/"
    assert row in client.get("/console/payments/refund/").text
    assert client.get(row).headers["Location"] == f"/console/payments/refunds/{refund}/"
    page = client.get(f"/console/payments/payment/{payment.pk}/change/").text
    assert f"/console/payments/refunds/of/{payment.public_id}/" in page
    assert "/console/payments/refunds/" in client.get("/console/").text
