"""What a bank is told of an order: out of our own records, with a receipt that can be read."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from checkout.facts import Item
from checkout.models import Order
from checkout.selectors.orders import shown
from checkout.services.assemble_evidence import assemble_evidence
from checkout.services.draw_receipt import draw_receipt
from checkout.services.write_once import write_once
from checkout.states import NotificationKind
from ledger.identifiers import encode, new_key
from ledger.money import Money
from payments import disputes
from payments.channels.contract import DisputeNews, DisputeNewsState
from payments.evidence import content_type_of
from payments.models import Attempt, OutboxEvent
from payments.services.apply_dispute_news import apply_dispute_news
from payments.services.prepare_evidence import prepare_evidence
from payments.subscribers import prepare_evidence as when_opened
from payments.tasks import prepare_evidence_of_one
from tests.checkout.bank import Bank
from tests.checkout.conftest import article, pay, place

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def order(bank: Bank) -> str:
    """Two teas, paid for, and the letter sent."""
    article("tea")
    placed = place(Item("tea", 2))
    pay(placed)
    write_once(order=placed.order.id, kind=NotificationKind.ORDER_PAID)
    return placed.order.id


def opened(order: str) -> str:
    """A dispute over half of the order."""
    news = DisputeNews("dp_1", DisputeNewsState.NEEDS_RESPONSE, Money(10_000, "CNY"), "fraudulent")
    with transaction.atomic():
        apply_dispute_news(
            attempt=Attempt.objects.get(payment__reference=order), news=news, heard_at=datetime.now(UTC)
        )
    return disputes.disputes_of_reference(order)[0].id


def test_the_pack_is_filled_in_when_the_dispute_is_opened(order: str, monkeypatch: Any) -> None:
    dispute, asked = opened(order), list[str]()
    monkeypatch.setattr(prepare_evidence_of_one, "delay", asked.append)
    when_opened("evt_1", OutboxEvent.objects.get(name="dispute.opened").payload)
    assert asked == [dispute]
    for _ in range(2):
        prepare_evidence_of_one(dispute)

    view = disputes.dispute(dispute)

    assert view.texts["customer_name"] == "李雷" and "文三路 1 号" in view.texts["shipping_address"]
    assert "2 x Tea (tea（中文）)" in view.texts["product_description"]
    assert "letter order_paid sent to lilei@example.com" in view.texts["other_text"]
    assert view.texts["customer_ip"] == "127.0.0.1"
    assert "Our checks before the payment rated it LOW" in view.texts["access_log"]
    [receipt] = view.files
    assert (receipt.kind, receipt.content_type) == ("receipt", "application/pdf")


def test_the_receipt_is_a_pdf_and_always_the_same(order: str) -> None:
    first, second = (draw_receipt(order=shown(order)) for _ in range(2))
    assert first == second and content_type_of(first) == "application/pdf"
    assert b"STSong-Light" in first and len(first) < 20_000


def test_what_is_no_order_of_ours_gives_nothing(transactional_db: None) -> None:
    for reference in ("inv_1", encode("ord", new_key())):
        pack = assemble_evidence(reference=reference)
        assert not pack.texts and not pack.files


def test_a_dispute_leaves_the_order_as_it_is_and_stands_on_its_page(order: str, admin_client: Client) -> None:
    dispute = opened(order)
    row = Order.objects.named(order).get()
    assert row.state == "PAID"
    page = admin_client.get(f"/console/checkout/order/{row.pk}/change/").content.decode()
    assert f"/console/payments/disputes/{dispute}/" in page
    prepare_evidence(dispute=dispute, actor="user:1")
    assert "This is the draft" in admin_client.get(f"/console/payments/disputes/{dispute}/").content.decode()
