"""What is known of a customer from earlier orders, for risk."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth import get_user_model
from django.db.models import Count, Q

from checkout.facts import Viewer
from checkout.models import Order
from checkout.selectors.orders import own
from checkout.states import PAID


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerHistory:
    paid_orders: int
    registered_at: datetime | None
    device_seen: bool  # one of the paid orders came from the device
    level: int = 0


def customer_history(*, user_id: int | None, email: str, device_id: str) -> CustomerHistory:
    """Earlier paid orders. An e-mail address proves nothing: a guest's count only from the same device."""
    if user_id is None and not device_id:
        return CustomerHistory(paid_orders=0, registered_at=None, device_seen=False)
    who = Q(user_id=user_id) if user_id is not None else Q(user=None, email=email, device_id=device_id)
    counted = Order.objects.filter(who, state__in=PAID).aggregate(
        paid=Count("pk"), here=Count("pk", filter=Q(device_id=device_id))
    )
    registered_at, level = _account(user_id)
    return CustomerHistory(
        paid_orders=counted["paid"],
        registered_at=registered_at,
        device_seen=bool(device_id) and counted["here"] > 0,
        level=level,
    )


def has_paid(viewer: Viewer) -> bool:
    """Whether an account has paid an order; a guest's orders are nobody's."""
    return (
        viewer.user_id is not None and Order.objects.filter(user_id=viewer.user_id, state__in=PAID).exists()
    )


def has_paid_before(viewer: Viewer) -> bool:
    """Whether a payment of the viewer's has succeeded, as far as their account and their tokens tell."""
    if viewer.user_id is None and not viewer.order_tokens:
        return False
    return Order.objects.filter(own(viewer), paid_by__gt="").exists()


def _account(user_id: int | None) -> tuple[datetime | None, int]:
    """When it was opened, and how far its owner is verified."""
    if user_id is None:
        return None, 0
    found = (
        get_user_model().objects.filter(pk=user_id).values_list("date_joined", "verification__level").first()
    )
    return (found[0], found[1] or 0) if found else (None, 0)
