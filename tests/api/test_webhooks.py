"""Webhook endpoints through the API: for programs with the scope, and with the secret shown once."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from standardwebhooks import Webhook

from payments.models import WebhookEndpoint, WebhookMessage
from payments.outward import posting
from payments.services.send_webhook import send_webhook
from tests.api.conftest import Answer, Caller, program
from tests.payments.receiver import Receiver, receiving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOK_ALLOW_LOOPBACK = True
    posting.pool.cache_clear()
    with receiving() as running:
        yield running
    posting.pool().close()
    posting.pool.cache_clear()


def change(caller: Caller, path: str, body: Any) -> Answer:
    answer = caller.http.patch(
        f"/api/v1/{path}", body, content_type="application/json", headers=caller.headers
    )
    return caller._read(answer)


def made(caller: Caller, url: str, *events: str, **more: Any) -> Answer:
    return caller.post("webhook_endpoints", {"url": url, "events": list(events) or ["*"]}, **more)


def test_from_creation_to_deletion(merchant: Caller, receiver: Receiver) -> None:
    created = made(merchant, receiver.url)
    assert created.status == 201
    path = f"webhook_endpoints/{created.body['id']}"
    assert created.headers["Location"] == f"/api/v1/{path}"
    assert "secret" not in merchant.get(path).body
    [listed] = merchant.get("webhook_endpoints").body["data"]
    assert listed["url"] == receiver.url

    tested = merchant.post(f"{path}/test", key=None).body
    assert send_webhook()
    assert Webhook(created.body["secret"]).verify(receiver.sent[0].body, receiver.sent[0].headers)
    log = merchant.get(f"{path}/deliveries").body
    assert (log["data"][0]["id"], log["data"][0]["state"]) == (tested["message"], "DELIVERED")
    assert log["data"][0]["tries"][0]["status"] == 200

    assert merchant.post(f"{path}/replay", {"message": tested["message"]}, key=None).body == {"messages": 1}
    assert merchant.post(f"{path}/replay", {"since": "2020-01-01T00:00:00Z"}, key=None).body == {
        "messages": 1
    }
    rotated = merchant.post(f"{path}/rotate_secret").body
    assert rotated["secret"] != created.body["secret"] and rotated["previous_secret_until"]

    assert change(merchant, path, {"state": "DISABLED"}).body["state"] == "DISABLED"
    assert merchant.post(f"{path}/test", key=None).code == "webhook_endpoint_disabled"
    assert change(merchant, path, {"state": "ENABLED", "events": ["refund.*"]}).body["events"] == ["refund.*"]
    gone = merchant._read(merchant.http.delete(f"/api/v1/{path}", headers=merchant.headers))
    assert gone.body == {"id": created.body["id"], "deleted": True}
    assert merchant.get(path).code == "webhook_endpoint_not_found"


def test_the_log_comes_in_pages(merchant: Caller, receiver: Receiver) -> None:
    path = f"webhook_endpoints/{made(merchant, receiver.url).body['id']}"
    sent = [merchant.post(f"{path}/test", key=None).body["message"] for _ in range(3)]
    first = merchant.get(f"{path}/deliveries?limit=2").body
    second = merchant.get(f"{path}/deliveries?limit=2&cursor={first['next_cursor']}").body
    assert [one["id"] for one in first["data"] + second["data"]] == sent[::-1]
    assert second["next_cursor"] is None
    assert merchant.get(f"{path}/deliveries?cursor=bm9uZQ").code == "cursor_invalid"


@pytest.mark.parametrize(
    ("url", "events", "code"),
    [
        ("http://127.0.0.1:8000/", ["*"], "webhook_url_invalid"),
        ("https://merchant.example:22/", ["*"], "webhook_url_invalid"),
        ("https://merchant.example/", ["order.eaten"], "webhook_event_unknown"),
        ("https://merchant.example/", [], "invalid"),
    ],
)
def test_what_is_no_endpoint_is_refused(merchant: Caller, url: str, events: list[str], code: str) -> None:
    answer = merchant.post("webhook_endpoints", {"url": url, "events": events})
    assert answer.code == code
    assert not WebhookEndpoint.objects.exists()


def test_asked_twice_with_one_key_there_is_one_endpoint(merchant: Caller, receiver: Receiver) -> None:
    first, second = (made(merchant, receiver.url, key="k") for _ in range(2))
    assert first.body == second.body
    assert WebhookEndpoint.objects.count() == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM payments_idempotencykey")
        assert first.body["secret"] not in str(cursor.fetchall())


def test_endpoints_are_for_programs_with_the_scope(
    guest: Caller, customer: Caller, receiver: Receiver, shop: None
) -> None:
    assert made(guest, receiver.url).code == "not_authenticated"
    assert made(customer, receiver.url).code == "permission_denied"
    assert made(program("webhooks:read", "orders:write"), receiver.url).code == "scope_missing"
    path = f"webhook_endpoints/{made(program('webhooks:write'), receiver.url).body['id']}"
    reader = program("webhooks:read")
    assert reader.get(path).status == 200
    assert reader.post(f"{path}/test", key=None).code == "scope_missing"
    assert program("orders:read").get(path).code == "scope_missing"
    assert not WebhookMessage.objects.exists()


def test_a_replay_names_one_message_or_a_time(merchant: Caller, receiver: Receiver) -> None:
    path = f"webhook_endpoints/{made(merchant, receiver.url).body['id']}"
    both = {"message": "whm_" + "0" * 26, "since": "2020-01-01T00:00:00Z"}
    assert merchant.post(f"{path}/replay", {}, key=None).code == "invalid"
    assert merchant.post(f"{path}/replay", both, key=None).code == "invalid"
    unknown = merchant.post(f"{path}/replay", {"message": "whm_" + "0" * 26}, key=None)
    assert unknown.code == "webhook_message_not_found"
