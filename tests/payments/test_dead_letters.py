"""What could not be applied or delivered waits for a person, who sees it and has it tried again."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from ledger.models import AuditEntry
from ledger.money import Money
from payments.admin.masking import masked
from payments.channels.codec import notice_to_json
from payments.channels.contract import Answer, Notice, NoticeKind, Outcome
from payments.errors import NotDead, NoticeNotFound
from payments.models import Attempt, InboxEvent, OutboxDelivery, OutboxEvent
from payments.services import apply_notice as applying
from payments.services.apply_notice import apply_notice
from payments.services.forget_events import forget_events
from payments.services.replay_inbox_event import replay_inbox_event
from payments.tasks import retry_inbox
from tests.channels.world import STRANGER
from tests.payments import desk

pytestmark = pytest.mark.django_db(transaction=True)


def kept(reference: str, fen: int = desk.FEN, event: str = "e1") -> InboxEvent:
    """A verified notification about a payment by Alipay, stored and not yet applied."""
    answer = Answer(Outcome.SUCCEEDED, amount=Money(fen, "CNY"), channel_reference="theirs")
    notice = Notice(event, NoticeKind.PAYMENT, reference, answer)
    return InboxEvent.objects.create(
        channel="alipay",
        event_id=event,
        reference=reference,
        notice=notice_to_json(notice),
        headers={"user-agent": "Alipay", "x-request-id": "abc"},
        body=b"out_trade_no=" + reference.encode() + b"&buyer_logon_id=mei%40example.com&total_amount=100.00",
    )


def state_of(row: InboxEvent) -> str:
    return str(InboxEvent.objects.get(pk=row.pk).state)


@pytest.fixture
def attempt(settings: Any) -> Attempt:
    settings.EVENT_HANDLERS = {}
    return desk.opened("alipay")


@pytest.fixture
def away(attempt: Attempt) -> Attempt:
    """A payment that is not in the tables for a while: the database was restored from yesterday."""
    Attempt.objects.filter(pk=attempt.pk).update(channel="elsewhere")
    return attempt


def test_a_dead_notification_is_applied_once_its_payment_is_known(away: Attempt) -> None:
    row = kept(away.public_id)
    refusal = apply_notice(inbox=row)
    assert refusal and (refusal.code, state_of(row)) == ("unknown_reference", "DEAD")
    assert replay_inbox_event(event=row.public_id, actor="user:7", reason="restored") == "DEAD"
    assert desk.now(away)[0] == "PROCESSING"

    Attempt.objects.filter(pk=away.pk).update(channel="alipay")
    assert replay_inbox_event(event=row.public_id, actor="user:7", reason="restored") == "APPLIED"

    assert desk.now(away) == ("SUCCEEDED", "SUCCEEDED")
    assert AuditEntry.objects.filter(
        action="inboxevent.state", object_id=row.public_id, actor="user:7", reason="restored"
    ).exists()


def test_the_provider_repeating_itself_is_enough_by_then(away: Attempt) -> None:
    row = kept(away.public_id)
    for _ in range(2):
        refusal = apply_notice(inbox=row)
        assert refusal and refusal.status == 404
    Attempt.objects.filter(pk=away.pk).update(channel="alipay")
    assert apply_notice(inbox=row) is None
    assert (state_of(row), desk.now(away)[0]) == ("APPLIED", "SUCCEEDED")


def test_another_amount_stays_dead_however_often_it_is_replayed(attempt: Attempt) -> None:
    row = kept(attempt.public_id, fen=1)
    for _ in range(2):
        refusal = apply_notice(inbox=row)
        assert refusal and refusal.code == "amount_mismatch"
    assert replay_inbox_event(event=row.public_id, actor="user:7", reason="let us see") == "DEAD"
    again = kept(attempt.public_id, fen=1, event="e2")
    assert apply_notice(inbox=again) and state_of(again) == "DEAD"
    assert desk.now(attempt) == ("PROCESSING", "UNKNOWN")
    assert OutboxEvent.objects.filter(name="payment.mismatched").count() == 1


def test_only_what_is_dead_is_replayed(attempt: Attempt) -> None:
    row = kept(attempt.public_id)
    with pytest.raises(NotDead):
        replay_inbox_event(event=row.public_id, actor="user:7", reason="x")
    for unknown in ("inb_" + "0" * 26, "evt_1", ""):
        with pytest.raises(NoticeNotFound):
            replay_inbox_event(event=unknown, actor="user:7", reason="x")
    assert desk.now(attempt)[0] == "PROCESSING"


def test_tries_wait_longer_each_time_and_end(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("disk full")

    row = kept(attempt.public_id)
    with monkeypatch.context() as broken:
        broken.setattr(applying, "apply_answer", fail)
        waits = []
        while state_of(row) != "DEAD":
            InboxEvent.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))
            retry_inbox()
            waits.append((InboxEvent.objects.get().next_try_at - timezone.now()).total_seconds())
        assert 1 < waits[0] < 3 and 2800 < waits[8] < 4400 and len(waits) == 11
        assert "disk full" in InboxEvent.objects.get().error
        assert replay_inbox_event(event=row.public_id, actor="user:7", reason="again") == "FAILED"

    InboxEvent.objects.update(next_try_at=timezone.now())
    assert retry_inbox() == 1
    assert desk.now(attempt)[0] == "SUCCEEDED"


def test_applied_notifications_are_forgotten_and_dead_ones_stay(attempt: Attempt) -> None:
    apply_notice(inbox=kept(attempt.public_id))
    apply_notice(inbox=kept("att_" + "0" * 26, event="e2"))
    InboxEvent.objects.update(received_at=timezone.now() - timedelta(days=100))
    forget_events(before=timezone.now() - timedelta(days=90))
    assert [row.state for row in InboxEvent.objects.all()] == ["DEAD"]


@pytest.fixture
def console(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root", password="root"))
    return client


def test_a_person_sees_it_masked_and_replays_it_with_a_reason(away: Attempt, console: Client) -> None:
    row = kept(away.public_id)
    apply_notice(inbox=row)
    Attempt.objects.filter(pk=away.pk).update(channel="alipay")

    page = console.get(f"/console/payments/inboxevent/{row.pk}/change/").content.decode()
    assert "user-agent: Alipay" in page and "total_amount=100.00" in page
    assert "example.com" not in page

    asked = {"action": "replay", "_selected_action": str(row.pk)}
    address = "/console/payments/inboxevent/"
    assert "Say why" in console.post(address, asked, follow=True).content.decode()
    assert state_of(row) == "DEAD"
    console.post(address, {**asked, "reason": "restored"})
    assert state_of(row) == "APPLIED"


def test_a_dead_event_is_delivered_again_by_a_person_with_the_right(client: Client) -> None:
    event = OutboxEvent.objects.create(
        name="order.paid", subject="ord_1", payload={}, delivered_at=timezone.now()
    )
    row = OutboxDelivery.objects.create(
        event=event, subscriber="a.b", subject="ord_1", dead_at=timezone.now()
    )
    asked = {"action": "replay", "_selected_action": str(row.pk), "reason": "mended"}
    address = "/console/payments/outboxdelivery/"

    client.force_login(User.objects.create_user("nobody", is_staff=True))
    assert client.post(address, asked).status_code == 403
    assert OutboxDelivery.objects.dead().count() == 1

    client.force_login(User.objects.create_superuser("root", password="root"))
    assert "a.b" not in client.get(address + "?standing=waiting").content.decode()
    assert "order.paid" in client.get(address + "?standing=dead").content.decode()
    client.post(address, asked)
    assert OutboxDelivery.objects.waiting().count() == 1
    entry = AuditEntry.objects.get(action="outbox_delivery.replayed")
    assert (entry.object_id, entry.reason) == (row.public_id, "mended")
    assert "DEAD" not in client.get(f"/console/payments/outboxevent/{event.pk}/change/").content.decode()


@pytest.mark.parametrize(
    ("body", "shown", "hidden"),
    [
        (b'{"id": "evt_1", "data": {"object": {"amount": 5, "email": "mei@x.cn"}}}', "evt_1", "mei@"),
        (b'{"resource": {"ciphertext": "c2VjcmV0", "algorithm": "AEAD_AES_256_GCM"}}', "AEAD", "c2Vj"),
        (b"buyer_id=2088&trade_no=1&subject=Blue", "trade_no=1", "2088"),
        (b"\xff\xfe", "", "\xff"),
    ],
)
def test_bodies_are_masked(body: bytes, shown: str, hidden: str) -> None:
    assert shown in masked(body) and hidden not in masked(body)


def test_headers_are_kept_without_credentials(
    till: Any, live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from payments.channels import registry

    notice = Notice("e9", NoticeKind.OTHER, "", Answer(Outcome.PENDING))
    monkeypatch.setattr(type(registry.channel("alipay")), "read_notice", lambda *_: notice)
    headers = {"Cookie": "session=1", "Authorization": "Bearer x", "X-Sign": "s"}
    STRANGER.post(f"{live_server.url}/webhooks/alipay", content=b"{}", headers=headers)
    found = InboxEvent.objects.get().headers
    assert found["x-sign"] == "s"
    assert not {"cookie", "authorization"} & found.keys()
