"""Webhooks to merchants, over real sockets: signed, in turn, tried again, and never to an address of our own."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from ledger.models import AuditEntry
from payments import outbox
from payments.errors import WebhookEndpointIsDisabled, WebhookEventUnknown
from payments.models import OutboxEvent, WebhookDelivery, WebhookEndpoint, WebhookMessage
from payments.outward import posting
from payments.outward.announcement import PUBLIC
from payments.outward.endpoints import EndpointWithSecret, messages_of
from payments.services.change_webhook_endpoint import change_webhook_endpoint
from payments.services.create_webhook_endpoint import create_webhook_endpoint
from payments.services.replay_webhooks import replay_webhooks
from payments.services.rotate_webhook_secret import rotate_webhook_secret
from payments.services.send_test_webhook import send_test_webhook
from payments.services.send_webhook import send_webhook
from tests.payments.receiver import Receiver, receiving

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def told(settings: Any) -> Iterator[None]:
    settings.WEBHOOK_ALLOW_LOOPBACK = True
    settings.EVENT_STREAMS = ["payments.subscribers.tell_merchants"]
    posting.pool.cache_clear()
    yield
    posting.pool().close()
    posting.pool.cache_clear()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def endpoint(receiver: Receiver, *events: str) -> EndpointWithSecret:
    return create_webhook_endpoint(url=receiver.url, events=events or ("*",), actor="user:1")


def happened(name: str = "order.paid", subject: str = "ord_1", **payload: Any) -> str:
    told = {"reference": subject, "payable": 12_345, "currency": "CNY", "advice": "ours alone", **payload}
    row = OutboxEvent.objects.create(name=name, subject=subject, payload=told)
    outbox.deliver_batch()
    return row.public_id


def send_all() -> int:
    count = 0
    while send_webhook():
        count += 1
    return count


def after(**wait: float) -> Any:
    return time_machine.travel(timezone.now() + timedelta(**wait))


def test_a_signed_message_says_what_happened(receiver: Receiver) -> None:
    made = endpoint(receiver, "order.*")
    event = happened()
    happened("payment.succeeded")
    assert send_all() == 1

    [sent] = receiver.sent
    body = Webhook(made.secret).verify(sent.body, sent.headers)
    assert sent.headers["webhook-id"] == event
    assert body["type"] == "order.paid"
    sequence = OutboxEvent.objects.get(name="order.paid").pk
    assert body["data"] == {"order": "ord_1", "payable": 12_345, "currency": "CNY", "sequence": sequence}
    assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
    with pytest.raises(WebhookVerificationError):
        Webhook(made.secret).verify(sent.body.replace("12345", "1"), sent.headers)
    [logged] = messages_of(made.endpoint.id, limit=10)
    assert (logged.state, logged.deliveries[0].status, logged.deliveries[0].excerpt) == (
        "DELIVERED",
        200,
        "thanks",
    )


def test_an_event_told_twice_is_sent_once(receiver: Receiver) -> None:
    endpoint(receiver)
    happened()
    OutboxEvent.objects.update(delivered_at=None)
    outbox.deliver_batch()
    assert (send_all(), len(receiver.sent)) == (1, 1)


def test_both_secrets_sign_for_a_day_after_a_rotation(receiver: Receiver) -> None:
    old = endpoint(receiver)
    new = rotate_webhook_secret(endpoint=old.endpoint.id, actor="user:1", reason="leaked")
    assert old.secret != new.secret
    happened()
    send_all()
    [sent] = receiver.sent
    for secret in (old.secret, new.secret):
        assert Webhook(secret).verify(sent.body, sent.headers)

    with after(hours=25):
        happened(subject="ord_2")
        send_all()
        later = receiver.sent[-1]
        assert Webhook(new.secret).verify(later.body, later.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(old.secret).verify(later.body, later.headers)


def test_secrets_are_sealed_in_the_table(receiver: Receiver) -> None:
    made = endpoint(receiver)
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM payments_webhookendpoint")
        assert made.secret not in str(cursor.fetchall())
    assert made.secret not in json.dumps(list(AuditEntry.objects.values("after")), default=str)


def test_what_fails_is_tried_again_under_the_same_id_until_given_up(receiver: Receiver) -> None:
    made = endpoint(receiver)
    receiver.status, receiver.answer = 500, b"x" * 5000
    happened()
    assert send_all() == 1
    assert send_all() == 0, "not before its time"
    waits = []
    while (row := WebhookMessage.objects.get()).dead_at is None:
        waits.append((row.next_try_at - timezone.now()).total_seconds())
        with after(hours=13):
            send_all()
            WebhookMessage.objects.filter(dead_at=None).update(next_try_at=row.next_try_at)
    assert len(receiver.sent) == 8 and len({sent.headers["webhook-id"] for sent in receiver.sent}) == 1
    assert 4 <= waits[0] <= 6
    log = messages_of(made.endpoint.id, limit=1)[0]
    assert (log.state, len(log.deliveries), log.deliveries[0].number) == ("DEAD", 8, 8)
    assert len(log.deliveries[0].excerpt) == 1024

    receiver.status = 204
    assert replay_webhooks(endpoint=made.endpoint.id, message=log.id, actor="user:1") == 1
    send_all()
    assert messages_of(made.endpoint.id, limit=1)[0].state == "DELIVERED"
    assert receiver.sent[-1].headers["webhook-id"] == log.event


def test_first_tries_of_a_subject_go_in_turn_and_a_failure_stops_nobody(receiver: Receiver) -> None:
    endpoint(receiver)
    for subject in ("ord_1", "ord_1", "ord_2"):
        happened(subject=subject)
    until = timezone.now() + timedelta(minutes=1)
    first = WebhookMessage.objects.claim_one(timezone.now(), until, 9)
    second = WebhookMessage.objects.claim_one(timezone.now(), until, 9)
    assert first and second and (first.subject, second.subject) == ("ord_1", "ord_2")
    assert WebhookMessage.objects.claim_one(timezone.now(), until, 9) is None
    WebhookMessage.objects.update(leased_until=None)
    receiver.status = 500
    assert send_all() == 3


def test_a_slow_endpoint_has_its_share_of_the_senders(receiver: Receiver) -> None:
    endpoint(receiver)
    happened()
    happened(subject="ord_2")
    until = timezone.now() + timedelta(minutes=1)
    assert WebhookMessage.objects.claim_one(timezone.now(), until, 1)
    assert WebhookMessage.objects.claim_one(timezone.now(), until, 1) is None


def test_five_days_of_failure_switch_it_off_and_somebody_is_told(receiver: Receiver, settings: Any) -> None:
    settings.OPERATIONS_EMAILS = ["operations@example.com"]
    person = User.objects.create_user("ada", "ada@example.com")
    made = create_webhook_endpoint(url=receiver.url, events=["*"], actor=f"user:{person.pk}")
    receiver.status = 503
    happened()
    send_all()
    with after(days=4):
        happened(subject="ord_2")
        send_all()
        assert WebhookEndpoint.objects.get().state == "ENABLED"
    with after(days=5, hours=1):
        happened(subject="ord_3")
        send_all()
        assert WebhookEndpoint.objects.get().state == "DISABLED"
        happened(subject="ord_4")
        assert send_all() == 0
        with pytest.raises(WebhookEndpointIsDisabled):
            send_test_webhook(endpoint=made.endpoint.id, actor="user:1")
    outbox.deliver_batch()
    [letter] = mail.outbox
    assert set(letter.to) == {"ada@example.com", "operations@example.com"}
    assert receiver.url in letter.body

    receiver.status = 200
    change_webhook_endpoint(endpoint=made.endpoint.id, enabled=True, actor="user:1", reason="mended")
    since = timezone.now() - timedelta(days=1)
    assert replay_webhooks(endpoint=made.endpoint.id, since=since, actor="user:1") == 3
    assert send_all() == 3


def test_success_ends_the_count_of_days(receiver: Receiver) -> None:
    endpoint(receiver)
    receiver.status = 500
    happened()
    send_all()
    receiver.status = 200
    happened(subject="ord_2")
    send_all()
    assert WebhookEndpoint.objects.get().first_failed_at is None


def test_gone_is_taken_at_its_word(receiver: Receiver) -> None:
    endpoint(receiver)
    receiver.status = 410
    happened()
    send_all()
    row = WebhookEndpoint.objects.get()
    assert (row.state, row.disabled_reason) == ("DISABLED", "it answered 410 Gone")


def test_redirects_are_not_followed(receiver: Receiver) -> None:
    endpoint(receiver)
    receiver.status, receiver.headers = 302, {"Location": receiver.url + "/inside"}
    happened()
    send_all()
    assert [sent.path for sent in receiver.sent] == ["/hook"]
    assert WebhookDelivery.objects.get().error == "redirects are not followed"


def test_an_answer_that_drips_takes_no_longer_than_the_whole_call_may(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "TOTAL_SECONDS", 0.4)
    receiver.drips = True
    posted = posting.post(receiver.url, {}, b"{}")
    assert posted.status == 200
    assert 300 < posted.latency_ms < 3000


def test_connections_are_used_again(receiver: Receiver) -> None:
    endpoint(receiver)
    for number in range(4):
        happened(subject=f"ord_{number}")
    send_all()
    assert (len(receiver.sent), len(receiver.connections)) == (4, 1)


def test_only_events_that_exist_can_be_asked_for() -> None:
    with pytest.raises(WebhookEventUnknown, match=r"order\.eaten"):
        create_webhook_endpoint(url="https://merchant.example/", events=["order.eaten"], actor="user:1")


def test_the_page_of_documentation_names_every_event_and_its_example_works(receiver: Receiver) -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    assert [name for name in PUBLIC if f"`{name}`" not in page] == []
    example = page.split("```python\n")[1].split("```")[0]
    made = endpoint(receiver)
    send_test_webhook(endpoint=made.endpoint.id, actor="user:1")
    send_all()
    [sent] = receiver.sent
    space: dict[str, Any] = {}
    exec(example, space)
    assert space["receive"](made.secret, sent.headers, sent.body.encode())["type"] == "webhook.test"
    assert space["receive"](made.secret, sent.headers, sent.body.encode()) is None, "known by its webhook-id"


def test_the_console_adds_tests_rotates_and_replays(client: Client, receiver: Receiver) -> None:
    client.force_login(User.objects.create_superuser("root", password="root"))
    page = client.post("/console/payments/webhooks/", {"url": receiver.url, "events": "order.* webhook.test"})
    assert "whsec_" in page.content.decode()
    row = WebhookEndpoint.objects.get()
    address = f"/console/payments/webhooks/{row.public_id}/"
    assert "whsec_" not in client.get(address).content.decode()

    client.post(address, {"do": "test"})
    send_all()
    shown = client.get(address).content.decode()
    assert "webhook.test" in shown and "thanks" in shown
    client.post(address, {"do": "replay", "message": WebhookMessage.objects.get().public_id})
    assert send_all() == 1
    assert "whsec_" not in client.post(address, {"do": "rotate"}, follow=True).content.decode(), "why?"
    assert "whsec_" in client.post(address, {"do": "rotate", "reason": "leaked"}).content.decode()
    client.post(address, {"do": "disable", "reason": "moving"})
    assert WebhookEndpoint.objects.get().state == "DISABLED"
    assert AuditEntry.objects.filter(action="webhookendpoint.state", reason="moving").exists()
    client.post(address, {"do": "delete", "reason": "moved"})
    assert not WebhookEndpoint.objects.exists()


def test_who_may_only_look_changes_nothing(client: Client, receiver: Receiver) -> None:
    made = endpoint(receiver)
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    address = f"/console/payments/webhooks/{made.endpoint.id}/"
    assert client.get(address).status_code == 403
    assert client.post(address, {"do": "disable", "reason": "x"}).status_code == 403
    assert WebhookEndpoint.objects.get().state == "ENABLED"
