from django.utils import timezone

from checkout.models import Notification, Order
from checkout.selectors import OrderView, customer_history
from checkout.selectors.orders import shown
from checkout.services.draw_receipt import draw_receipt
from ledger.identifiers import MalformedIdentifier
from payments.evidence import Pack, Paper


def assemble_evidence(*, reference: str) -> Pack:
    """This will say of the order what may prove it to a bank: who bought what, where it went, what was sent.

    It writes nothing. What is paid for and is no order of ours gives an empty pack.
    """
    try:
        row = Order.objects.named(reference).get()
    except (MalformedIdentifier, Order.DoesNotExist):
        return Pack()
    order = shown(reference)
    texts = {
        "customer_name": order.address.name,
        "customer_email": order.email,
        "shipping_address": _address(order),
        "product_description": _goods(order),
        "other_text": "\n".join([*_letters(row), *_history(row)]),
    }
    return Pack(texts, {"receipt": Paper(f"receipt-{order.id}.pdf", draw_receipt(order=order))})


def _address(order: OrderView) -> str:
    to = order.address
    parts = (to.name, to.line1, to.line2, to.city, to.region, to.postal_code, to.country, to.phone)
    return "\n".join(part for part in parts if part)


def _goods(order: OrderView) -> str:
    lines = [
        f"{line.quantity} x {line.title_en} ({line.title_zh}), {line.total.formatted()}"
        for line in order.lines
    ]
    ordered = f"Order {order.id} of {order.placed_at:%Y-%m-%d %H:%M} UTC, {order.payable.formatted()} in all."
    return "\n".join([ordered, *lines])


def _letters(row: Order) -> list[str]:
    sent = Notification.objects.filter(order=row, sent_at__isnull=False).order_by("sent_at")
    return [f"{note.sent_at:%Y-%m-%d %H:%M} UTC: letter {note.kind} sent to {row.email}." for note in sent]


def _history(row: Order) -> list[str]:
    history = customer_history(user_id=row.user_id, email=row.email, device_id=row.device_id)
    earlier = max(0, history.paid_orders - 1)
    if not earlier:
        return []
    return [
        f"As of {timezone.now():%Y-%m-%d}, the same customer has paid for {earlier} other orders with us."
    ]
