"""The customer is told once, in the language of the order."""

import pytest
from django.core import mail

from checkout.facts import Item
from checkout.models import Notification
from checkout.subscribers import confirm_by_mail
from payments.outbox import deliver_batch
from tests.checkout.bank import Bank
from tests.checkout.conftest import article, pay, place

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("locale", "subject", "words"),
    [
        ("en-GB", "is paid", ["Hello 李雷", "2 × Tea & <Co>", "CN¥200.00"]),
        ("zh-CN", "已付款", ["李雷，您好", "2 × 茶 & <Co>", "¥200.00"]),
    ],
)
def test_a_paid_order_is_confirmed_once(bank: Bank, locale: str, subject: str, words: list[str]) -> None:
    row = article("tea")
    row.title_en, row.title_zh = "Tea & <Co>", "茶 & <Co>"
    row.save(update_fields=["title_en", "title_zh"])
    placed = place(Item("tea", 2), locale=locale)
    pay(placed)

    deliver_batch()
    confirm_by_mail("evt_x", {"reference": placed.order.id})

    [letter] = mail.outbox
    assert letter.to == ["lilei@example.com"]
    assert subject in letter.subject and placed.order.id in letter.subject
    for word in [*words, f"http://testserver/orders/{placed.order.id}/"]:
        assert word in letter.body
    note = Notification.objects.get()
    assert note.sent_at is not None and letter.extra_headers["Message-ID"] == f"<{note.id}@testserver>"


def test_a_mail_server_that_is_down_is_asked_again(bank: Bank, settings: object) -> None:
    article("tea")
    placed = place(Item("tea", 1))
    pay(placed)
    settings.EMAIL_BACKEND = "nowhere.Backend"  # type: ignore[attr-defined]
    with pytest.raises(ImportError):
        confirm_by_mail("evt_x", {"reference": placed.order.id})
    assert Notification.objects.get().sent_at is None

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"  # type: ignore[attr-defined]
    confirm_by_mail("evt_x", {"reference": placed.order.id})
    assert len(mail.outbox) == 1
