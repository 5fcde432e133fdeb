"""Alive and ready: what a load balancer and a person on call read."""

import time
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from config.celery import HEARTBEAT, note_heartbeat
from payments.models import OutboxDelivery, OutboxEvent

pytestmark = pytest.mark.django_db


def parts(client: Client, status: int) -> dict[str, str]:
    response = client.get("/health/ready")
    assert response.status_code == status
    told: dict[str, str] = response.json()["parts"]
    return told


def test_alive() -> None:
    response = Client().get("/health")
    assert response.json() == {"status": "ok", "service": "smart-checkout"}
    assert Client().post("/health").status_code == 405


def test_ready_when_database_redis_worker_and_outbox_are(client: Client) -> None:
    note_heartbeat()
    assert parts(client, 200) == {"database": "ok", "redis": "ok", "worker": "ok", "outbox": "ok"}


def test_a_silent_worker_and_a_late_relay_are_named(client: Client) -> None:
    cache.delete(HEARTBEAT)
    OutboxEvent.objects.create(
        name="order.paid", subject="ord_1", payload={}, created_at=timezone.now() - timedelta(seconds=100)
    )
    told = parts(client, 503)
    assert told["worker"] == "no heartbeat"
    assert told["outbox"].startswith("behind by 10")
    cache.set(HEARTBEAT, time.time() - 45)
    assert parts(client, 503)["worker"].startswith("silent for 45")


def test_an_event_whose_subscriber_fails_says_nothing_about_the_relay(client: Client) -> None:
    note_heartbeat()
    long_ago = timezone.now() - timedelta(days=1)
    event = OutboxEvent.objects.create(
        name="order.paid", subject="ord_1", payload={}, created_at=long_ago, delivered_at=long_ago
    )
    OutboxDelivery.objects.create(event=event, subscriber="somebody", subject="ord_1", tries=3)
    assert parts(client, 200)["outbox"] == "ok"


def test_a_lost_redis_is_named(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(cache, "get", refuse)
    told = parts(client, 503)
    assert (told["database"], told["redis"]) == ("ok", "unreachable")
