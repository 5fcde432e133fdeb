from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import override

from checkout.models import Notification, Order
from checkout.selectors.orders import shown
from checkout.states import NotificationKind
from ledger.money import Money


def write_once(*, order: str, kind: NotificationKind) -> None:
    """This will send the customer the letter of this kind about the order, once.

    The note that it was sent is written after the mail server took it: a crash in between sends the same letter with
    the same Message-ID again. No transaction is open while the mail server is asked.
    """
    row = Order.objects.named(order).get()
    note, _ = Notification.objects.get_or_create(order=row, kind=kind)
    if note.sent_at:
        return
    subject, body = _letter(row, kind)
    EmailMessage(
        subject=subject,
        body=body,
        to=[row.email],
        headers={"Message-ID": f"<{note.id}@{settings.PUBLIC_URL.partition('://')[2].partition(':')[0]}>"},
    ).send()
    note.sent_at = timezone.now()
    note.save(update_fields=["sent_at"])


def _letter(row: Order, kind: NotificationKind) -> tuple[str, str]:
    language = "zh-hans" if row.in_chinese else "en"
    view = shown(row.public_id)
    with override(language):
        text = render_to_string(
            f"checkout/mail/{kind}.{language}.txt",
            {
                "order": view,
                "lines": [
                    (line.quantity, line.title(language), _amount(line.total, language))
                    for line in view.lines
                ],
                "unsent": [(line.quantity, line.title(language)) for line in view.unsent],
                "payable": _amount(view.payable, language),
                "shop": settings.PUBLIC_URL,
            },
        )
    subject, _, body = text.partition("\n")
    return subject.strip(), body.lstrip("\n")


def _amount(amount: Money, language: str) -> str:
    return amount.formatted("zh" if language == "zh-hans" else "en")
